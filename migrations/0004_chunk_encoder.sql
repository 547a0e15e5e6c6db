-- Chunks by the encoder that embedded them: finds those of another one without reading any vector.
create index chunk_encoder on chunk (tenant_id, encoder, kind) where deleted = 0;
