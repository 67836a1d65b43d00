//! Short forms of the simple layout: `"1-20"`, `"A-F"`, `"1-9,11"` stand for
//! the names that a person would count out.

/// Names that one range can stand for.
const MAX_NAMES: usize = 5_000;

/// `None` when the text is no range, or one of too many names.
pub(super) fn names(text: &str) -> Option<Vec<String>> {
    let mut all = Vec::new();
    for part in text.split(',').map(str::trim) {
        match part.split_once('-') {
            None if part.is_empty() => return None,
            None => all.push(part.to_owned()),
            Some((from, to)) => all.extend(span(from.trim(), to.trim())?),
        }
        if all.len() > MAX_NAMES {
            return None;
        }
    }
    Some(all)
}

fn span(from: &str, to: &str) -> Option<Vec<String>> {
    if let (Ok(first), Ok(last)) = (from.parse::<usize>(), to.parse::<usize>()) {
        let counted = first <= last && last - first < MAX_NAMES;
        return counted.then(|| (first..=last).map(|n| n.to_string()).collect());
    }
    let (first, last) = (letter(from)?, letter(to)?);
    (first <= last).then(|| (first..=last).map(|c| char::from(c).to_string()).collect())
}

fn letter(text: &str) -> Option<u8> {
    match text.as_bytes() {
        [c @ (b'A'..=b'Z' | b'a'..=b'z')] => Some(*c),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_stand_for_what_a_person_counts() {
        assert_eq!(names("1-3, 7").map(|n| n.join(" ")), Some("1 2 3 7".into()));
        assert_eq!(names("C-E").map(|n| n.join(" ")), Some("C D E".into()));
        for bad in ["", "3-1", "A-1", "AA-AC", "1-99999999", "1,,2"] {
            assert_eq!(names(bad), None, "{bad}");
        }
    }
}
