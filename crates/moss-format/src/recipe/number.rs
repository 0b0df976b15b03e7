//! What tools that read unquoted texts as numbers make of them.

use super::yaml::{Node, Style, Value};

/// Whether the text changes when other tools read it as a number, and how it
/// then reads. Only unquoted texts are read so.
pub(crate) fn as_number(text: &str) -> Option<String> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if digits(unsigned) && unsigned.len() > 1 && unsigned.starts_with('0') {
        // Tools that read octal numbers leave a text with other digits alone.
        return u64::from_str_radix(unsigned, 8).ok().map(|n| n.to_string());
    }
    if digits(unsigned) {
        return match text.parse::<u64>() {
            Ok(number) => Some(number.to_string()),
            Err(_) => text.parse::<f64>().ok().map(|number| format!("{number:?}")),
        };
    }
    let radix = |prefix: &str, radix: u32| {
        let digits = unsigned.strip_prefix(prefix)?;
        u64::from_str_radix(digits, radix)
            .ok()
            .map(|n| n.to_string())
    };
    if let Some(number) = radix("0x", 16)
        .or_else(|| radix("0o", 8))
        .or_else(|| radix("0b", 2))
    {
        return Some(number);
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let is_exponent = |text: &str| digits(text.strip_prefix(['+', '-']).unwrap_or(text));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_float = (digits(whole) || (whole.is_empty() && digits(fraction)))
        && (fraction.is_empty() || digits(fraction))
        && exponent.is_none_or(is_exponent);
    if !is_float {
        return None;
    }
    text.parse::<f64>().ok().map(|number| format!("{number:?}"))
}

/// Whether a node is written without quotes.
pub(crate) const fn is_plain(node: &Node) -> bool {
    matches!(
        node.value,
        Value::Scalar {
            style: Style::Plain,
            ..
        }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_other_tools_read_them() {
        let cases = [
            ("1.10", Some("1.1")),
            ("47.0", Some("47.0")),
            ("20240722.0", Some("20240722.0")),
            ("8", Some("8")),
            ("0", Some("0")),
            ("059", None),
            ("08", None),
            ("057", Some("47")),
            ("00", Some("0")),
            ("010.5", Some("10.5")),
            ("0x10", Some("16")),
            ("1e3", Some("1000.0")),
            ("1.", Some("1.0")),
            ("1.2.3", None),
            ("9p1", None),
            ("1_000", None),
        ];
        for (text, read) in cases {
            assert_eq!(as_number(text).as_deref(), read, "{text}");
        }
    }
}
