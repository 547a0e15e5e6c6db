-- When a message was last changed, as the platform knows it: an older edit that arrives late is outdated.
create table message_change (
  tenant_id text not null,
  message_id text not null,
  changed_at bigint not null,
  primary key (tenant_id, message_id),
  foreign key (tenant_id, message_id) references message (tenant_id, id)
);

-- A keyed hash, `hmac:` + hex, as a plain one tells whoever has the same file that it was here. What is
-- plain yet is keyed at the next start, which has the key; so is a webhook's URL in channel.config moved
-- into channel.secrets_sealed.
alter table attachment rename column sha256 to content_hash;

-- A type is stored only if it is on our list; anything else is the sender's own text.
update attachment set content_type = 'application/octet-stream' where content_type not in (
  'application/gzip',
  'application/ics',
  'application/json',
  'application/msword',
  'application/pdf',
  'application/pgp-keys',
  'application/pgp-signature',
  'application/pkcs7-mime',
  'application/pkcs7-signature',
  'application/rtf',
  'application/vnd.ms-excel',
  'application/vnd.ms-outlook',
  'application/vnd.ms-powerpoint',
  'application/vnd.oasis.opendocument.presentation',
  'application/vnd.oasis.opendocument.spreadsheet',
  'application/vnd.oasis.opendocument.text',
  'application/vnd.openxmlformats-officedocument.presentationml.presentation',
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  'application/xml',
  'application/zip',
  'audio/aac',
  'audio/amr',
  'audio/mp4',
  'audio/mpeg',
  'audio/ogg',
  'audio/wav',
  'image/bmp',
  'image/gif',
  'image/heic',
  'image/heif',
  'image/jpeg',
  'image/jpg',
  'image/png',
  'image/svg+xml',
  'image/tiff',
  'image/webp',
  'message/delivery-status',
  'message/disposition-notification',
  'message/global',
  'message/rfc822',
  'text/calendar',
  'text/csv',
  'text/html',
  'text/markdown',
  'text/plain',
  'text/rfc822-headers',
  'text/rtf',
  'text/vcard',
  'text/x-vcard',
  'text/xml',
  'video/mp4',
  'video/quicktime',
  'video/webm'
);
