//! Text out of PDF: what the file draws, line by line, put back into paragraphs. Scanned pages hold
//! no text and say so.

use super::DocumentError;

/// Stack of the thread that reads. Objects nest as deeply as the file likes.
const STACK: usize = 64 * 1024 * 1024;

/// The text of a PDF file, paragraphs apart by blank lines.
///
/// # Errors
/// [`DocumentError::Pdf`] when it can't be read (damaged, encrypted), [`DocumentError::Empty`] when
/// there is no text in it.
pub fn pdf_text(bytes: &[u8]) -> Result<String, DocumentError> {
    // The reader gives up on some damaged files by panicking: that costs its thread and no more.
    let read = std::thread::scope(|s| {
        std::thread::Builder::new()
            .stack_size(STACK)
            .spawn_scoped(s, || pdf_extract::extract_text_from_mem(bytes))
            .ok()
            .and_then(|thread| thread.join().ok())
    });
    let text = read.and_then(Result::ok).ok_or(DocumentError::Pdf)?;
    let text = paragraphs(&text);
    if text.is_empty() { Err(DocumentError::Empty) } else { Ok(text) }
}

/// Lines joined into paragraphs; a word that is parted at a line's end is whole again.
fn paragraphs(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut open = false;
    for line in text.lines().map(str::trim) {
        if line.is_empty() {
            open = false;
            continue;
        }
        let parted = open && out.ends_with('-') && line.starts_with(char::is_lowercase);
        if parted {
            out.pop();
        } else if open {
            out.push(' ');
        } else if !out.is_empty() {
            out.push_str("\n\n");
        }
        out.push_str(line);
        open = true;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The smallest file that draws these lines.
    fn pdf(lines: &[&str]) -> Vec<u8> {
        let drawn: String = lines.iter().map(|l| format!("({l}) Tj 0 -14 Td ")).collect();
        let content = format!("BT /F1 12 Tf 72 720 Td {drawn}ET");
        let objects = [
            "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
            "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R \
             /Resources << /Font << /F1 5 0 R >> >> >>"
                .to_owned(),
            format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()),
            "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
                .to_owned(),
        ];
        let mut file = String::from("%PDF-1.4\n");
        let mut at = Vec::new();
        for (i, o) in objects.iter().enumerate() {
            at.push(file.len());
            file.push_str(&format!("{} 0 obj\n{o}\nendobj\n", i + 1));
        }
        let table = file.len();
        file.push_str("xref\n0 6\n0000000000 65535 f \n");
        at.iter().for_each(|n| file.push_str(&format!("{n:010} 00000 n \n")));
        file.push_str(&format!("trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n"));
        file.into_bytes()
    }

    #[test]
    fn drawn_text_comes_out() {
        let text =
            pdf_text(&pdf(&["Returns are free within 30 days.", "Keep the receipt."])).unwrap();
        assert!(text.contains("Returns are free within 30 days."), "{text}");
        assert!(text.contains("Keep the receipt."), "{text}");
    }

    #[test]
    fn what_is_no_pdf_or_holds_no_text_is_refused() {
        let whole = pdf(&["Hello"]);
        for bad in [&b"%PDF-1.4 rubbish"[..], b"", b"hello", &whole[..whole.len() / 2]] {
            assert!(matches!(pdf_text(bad), Err(DocumentError::Pdf)), "{}", bad.len());
        }
        assert!(matches!(pdf_text(&pdf(&[])), Err(DocumentError::Empty)));
    }

    #[test]
    fn lines_become_paragraphs() {
        let text = "A long\nparagraph with a bro-\nken word.\n\n\nAnother\none - here";
        assert_eq!(paragraphs(text), "A long paragraph with a broken word.\n\nAnother one - here");
    }
}
