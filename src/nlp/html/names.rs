//! The element names that change how a document reads. Everything else (`<o:p>`, `<custom-card>`) is
//! looked through as if its tags were not there.

/// A known element name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum Name {
    /// The root that holds the document; no tag makes it.
    Document,
    A,
    Blockquote,
    Body,
    Br,
    Caption,
    Center,
    Dd,
    Div,
    Dl,
    Dt,
    Fieldset,
    Footer,
    Form,
    Frameset,
    H,
    Header,
    Head,
    Hr,
    Html,
    Img,
    /// Inline formatting that only matters for matching its own end tag, by a small number.
    B,
    Font,
    I,
    Inline,
    Span,
    U,
    Li,
    Main,
    Nav,
    Ol,
    Option,
    P,
    Pre,
    Section,
    Select,
    Table,
    Tbody,
    Td,
    Tfoot,
    Thead,
    Tr,
    Ul,
    /// Elements whose content is never shown.
    Script,
    Style,
    Template,
    Textarea,
    Title,
    Svg,
    Object,
}

/// How many names there are, for tables indexed by `Name as usize`.
pub(crate) const COUNT: usize = Name::Object as usize + 1;

impl Name {
    /// The name of a tag, `None` for tags that are looked through. `tag` in any letter case.
    pub(crate) fn of(tag: &str) -> Option<Self> {
        let mut lower = [0u8; 12];
        let low = lower.get_mut(..tag.len())?;
        low.copy_from_slice(tag.as_bytes());
        low.make_ascii_lowercase();
        Some(match &*low {
            b"a" => Self::A,
            b"blockquote" => Self::Blockquote,
            b"body" => Self::Body,
            b"br" => Self::Br,
            b"caption" => Self::Caption,
            b"center" => Self::Center,
            b"dd" => Self::Dd,
            b"div" => Self::Div,
            b"dl" => Self::Dl,
            b"dt" => Self::Dt,
            b"fieldset" => Self::Fieldset,
            b"footer" => Self::Footer,
            b"form" => Self::Form,
            b"frameset" => Self::Frameset,
            b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6" => Self::H,
            b"header" => Self::Header,
            b"head" => Self::Head,
            b"hr" => Self::Hr,
            b"html" => Self::Html,
            b"img" => Self::Img,
            b"b" | b"strong" => Self::B,
            b"font" => Self::Font,
            b"i" | b"em" => Self::I,
            b"small" | b"big" | b"sub" | b"sup" | b"code" | b"tt" | b"s" | b"strike" | b"del"
            | b"label" | b"abbr" | b"cite" | b"q" | b"mark" => Self::Inline,
            b"span" => Self::Span,
            b"u" | b"ins" => Self::U,
            b"li" => Self::Li,
            b"main" => Self::Main,
            b"nav" => Self::Nav,
            b"ol" => Self::Ol,
            b"option" => Self::Option,
            b"p" => Self::P,
            b"pre" => Self::Pre,
            b"section" | b"article" | b"aside" | b"address" | b"figure" | b"figcaption" => {
                Self::Section
            }
            b"select" => Self::Select,
            b"table" => Self::Table,
            b"tbody" => Self::Tbody,
            b"td" | b"th" => Self::Td,
            b"tfoot" => Self::Tfoot,
            b"thead" => Self::Thead,
            b"tr" => Self::Tr,
            b"ul" | b"menu" | b"dir" => Self::Ul,
            b"script" => Self::Script,
            b"style" => Self::Style,
            b"template" => Self::Template,
            b"textarea" => Self::Textarea,
            b"title" => Self::Title,
            b"svg" => Self::Svg,
            b"object" => Self::Object,
            _ => return None,
        })
    }

    /// Elements that never have content.
    pub(crate) fn is_void(self) -> bool {
        matches!(self, Self::Br | Self::Hr | Self::Img)
    }

    /// Elements that stand inside a line.
    pub(crate) fn is_inline(self) -> bool {
        matches!(
            self,
            Self::A
                | Self::B
                | Self::Font
                | Self::I
                | Self::Inline
                | Self::Span
                | Self::U
                | Self::Img
                | Self::Br
        )
    }

    /// Elements whose content is text up to their own end tag, and is not shown.
    pub(crate) fn is_raw(self) -> bool {
        matches!(self, Self::Script | Self::Style | Self::Template | Self::Title | Self::Svg)
    }

    /// The parts of a table that an end tag outside of the table must not reach through.
    pub(crate) fn is_cell_scope(self) -> bool {
        matches!(self, Self::Td | Self::Caption | Self::Table)
    }

    /// Table structure: its end tags may close the cells between.
    pub(crate) fn is_tabular(self) -> bool {
        matches!(self, Self::Table | Self::Tbody | Self::Tfoot | Self::Thead | Self::Tr | Self::Td)
    }
}
