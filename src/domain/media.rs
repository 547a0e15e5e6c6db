//! The media types that are stored by name. A declared type is the sender's own text, of any length and
//! content, so that what isn't on this list is `application/octet-stream`.

/// What stands for every other type.
pub const OTHER: &str = "application/octet-stream";

/// Sorted.
const KNOWN: [&str; 54] = [
    "application/gzip",
    "application/ics",
    "application/json",
    "application/msword",
    "application/pdf",
    "application/pgp-keys",
    "application/pgp-signature",
    "application/pkcs7-mime",
    "application/pkcs7-signature",
    "application/rtf",
    "application/vnd.ms-excel",
    "application/vnd.ms-outlook",
    "application/vnd.ms-powerpoint",
    "application/vnd.oasis.opendocument.presentation",
    "application/vnd.oasis.opendocument.spreadsheet",
    "application/vnd.oasis.opendocument.text",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/xml",
    "application/zip",
    "audio/aac",
    "audio/amr",
    "audio/mp4",
    "audio/mpeg",
    "audio/ogg",
    "audio/wav",
    "image/bmp",
    "image/gif",
    "image/heic",
    "image/heif",
    "image/jpeg",
    "image/jpg",
    "image/png",
    "image/svg+xml",
    "image/tiff",
    "image/webp",
    "message/delivery-status",
    "message/disposition-notification",
    "message/global",
    "message/rfc822",
    "text/calendar",
    "text/csv",
    "text/html",
    "text/markdown",
    "text/plain",
    "text/rfc822-headers",
    "text/rtf",
    "text/vcard",
    "text/x-vcard",
    "text/xml",
    "video/mp4",
    "video/quicktime",
    "video/webm",
];

/// The type of this name without its parameters, if it is on the list; else [`OTHER`].
pub fn known(declared: &str) -> &'static str {
    let name = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    KNOWN.binary_search(&name.as_str()).map_or(OTHER, |i| KNOWN[i])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_on_the_list_keeps_its_name() {
        assert!(KNOWN.is_sorted());
        assert_eq!(known("Text/Plain; charset=utf-8"), "text/plain");
        assert_eq!(known("image/png"), "image/png");
        for odd in ["", "png", "application/robin-example-of-10-main-street", "<script>"] {
            assert_eq!(known(odd), OTHER, "{odd}");
        }
    }

    #[test]
    fn the_migration_of_old_rows_has_the_same_list() {
        let sql = include_str!("../../migrations/0003_access.sql");
        let in_sql: Vec<&str> = sql
            .lines()
            .filter_map(|l| l.trim().trim_end_matches(',').strip_prefix('\'')?.strip_suffix('\''))
            .collect();
        assert_eq!(in_sql, KNOWN);
    }
}
