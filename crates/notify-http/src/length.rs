//! Lengths as services count them.

/// The UTF-16 code units of a text: at least as many as it has characters, whichever of the two a service counts.
pub(crate) fn utf16(text: &str) -> usize {
    text.encode_utf16().count()
}

/// The beginning of a text in at most so many UTF-16 code units, with a mark where something is missing.
pub(crate) fn cut(text: &str, most: usize) -> String {
    if utf16(text) <= most {
        return text.to_owned();
    }
    let mut left = most.saturating_sub(1);
    let fits = |c: &char| {
        let fits = c.len_utf16() <= left;
        left = left.saturating_sub(c.len_utf16());
        fits
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_is_cut_to_its_bound_and_no_further(text in ".{0,40}", most in 1..50_usize) {
            let short = cut(&text, most);
            prop_assert!(utf16(&short) <= most);
            prop_assert!(short == text || short.ends_with('…') && utf16(&short) + 2 > most);
        }
    }
}
