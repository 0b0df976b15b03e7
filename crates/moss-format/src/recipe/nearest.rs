//! What an unknown word most likely stands for.

/// Longer words are no slips of the pen.
const LONGEST: usize = 64;

/// The known word that is one or two slips away: a letter too many, missing,
/// changed, or two that changed places. Other digits are another word.
pub(crate) fn by_letters<'known>(
    unknown: &str,
    known: impl IntoIterator<Item = &'known str>,
) -> Option<&'known str> {
    if unknown.len() > LONGEST {
        return None;
    }
    let length = unknown.chars().count();
    known
        .into_iter()
        .filter(|word| word.chars().count().abs_diff(length) <= 2)
        .filter(|word| digits(word).eq(digits(unknown)))
        .map(|word| (distance(unknown, word), word))
        .filter(|&(distance, word)| distance <= 2 && distance < word.len() / 2)
        .min()
        .map(|(_, word)| word)
}

fn digits(word: &str) -> impl Iterator<Item = u8> {
    word.bytes().filter(u8::is_ascii_digit)
}

/// As [`by_letters`], else the first known word with the same beginning: keys
/// are often remembered by it.
pub(crate) fn by_beginning<'known>(unknown: &str, known: &[&'known str]) -> Option<&'known str> {
    by_letters(unknown, known.iter().copied()).or_else(|| {
        let beginning = unknown.get(..3).filter(|_| unknown.len() <= LONGEST)?;
        let shares = |word: &&&str| word.starts_with(beginning);
        known.iter().find(shares).copied()
    })
}

/// How many letters must be added, removed, changed, or swapped with their
/// neighbour to get from one to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    let mut previous = None;
    for (i, a) in from.chars().enumerate() {
        let mut next = vec![i + 1];
        let mut last = None;
        for (j, &b) in to.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX - 1);
            let change = at(&row, j) + usize::from(a != b);
            let mut least = change.min(at(&row, j + 1) + 1).min(at(&next, j) + 1);
            if previous == Some(b) && last == Some(a) && j > 0 {
                least = least.min(at(&before, j - 1) + 1);
            }
            next.push(least);
            last = Some(b);
        }
        before = row;
        row = next;
        previous = Some(a);
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_words_find_their_neighbour() {
        let known = ["tuning", "builddeps", "rundeps", "check", "make"];
        assert_eq!(by_letters("builddep", known), Some("builddeps"));
        assert_eq!(by_letters("mkae", known), Some("make"));
        assert_eq!(by_letters("tune", known), None);
        assert_eq!(by_letters("mak3", known), None);
        assert_eq!(by_beginning("tune", &known), Some("tuning"));
        assert_eq!(by_beginning("zzz", &known), None);
        assert_eq!(by_beginning("é", &known), None);
    }

    #[test]
    fn slips_are_counted() {
        for (from, to, slips) in [
            ("", "", 0),
            ("", "ab", 2),
            ("ab", "", 2),
            ("ab", "ba", 1),
            ("abcd", "acbd", 1),
            ("abc", "axc", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(from, to), slips, "{from} {to}");
        }
    }
}
