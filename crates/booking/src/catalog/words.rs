//! The words of a search: whole ones, of which the last may be unfinished. The
//! same rule for Postgres's full text, where operators search events and orders, and
//! for an edge's memory, where fans search what is announced. Pure.

/// More words narrow nothing.
const MAX_WORDS: usize = 16;

fn words(text: &str) -> impl Iterator<Item = &str> {
    let parts = text.split(|c: char| !c.is_alphanumeric());
    parts.filter(|word| !word.is_empty())
}

/// `jazz ber` -> `jazz & ber:*`; a last word of fewer letters is a whole one. `None`
/// without any word.
pub(crate) fn as_tsquery(wanted: &str, shortest_beginning: usize) -> Option<String> {
    let words: Vec<_> = words(wanted).take(MAX_WORDS).collect();
    let last = words.last()?;
    let may_go_on = last.chars().count() >= shortest_beginning;
    Some(words.join(" & ") + if may_go_on { ":*" } else { "" })
}

/// Whether the text has all words that are wanted.
pub fn has_words(text: &str, wanted: &str) -> bool {
    let (text, wanted) = (text.to_lowercase(), wanted.to_lowercase());
    let known: Vec<_> = words(&text).collect();
    let wanted: Vec<_> = words(&wanted).take(MAX_WORDS).collect();
    let Some((last, whole)) = wanted.split_last() else {
        return true;
    };
    whole.iter().all(|word| known.contains(word)) && known.iter().any(|word| word.starts_with(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_may_be_unfinished_and_the_others_not() {
        let text = "Jazz night, Philharmonie Berlin";
        for found in ["jazz", "ber", "NIGHT jazz phil", "", " - "] {
            assert!(has_words(text, found), "{found}");
        }
        for missed in ["jaz night", "erlin", "jazz hamburg"] {
            assert!(!has_words(text, missed), "{missed}");
        }
        let query = |text| as_tsquery(text, 3);
        assert_eq!(query("jazz, ber").as_deref(), Some("jazz & ber:*"));
        assert_eq!(query("jazz be").as_deref(), Some("jazz & be"));
        assert_eq!(query(" - "), None);
    }
}
