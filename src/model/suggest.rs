//! "Did you mean": the known name nearest to one that is not known.

/// Longest name that is compared; longer ones are no typing errors.
const LONGEST: usize = 64;

/// The nearest of the known names, when it is near enough to be meant.
pub fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    if name.len() > LONGEST {
        return None;
    }
    let wanted = name.to_lowercase().replace('-', "_");
    known
        .iter()
        .map(|candidate| (distance(&wanted, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= 2.min(candidate.len() / 2))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's edit distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_near_names_are_suggested() {
        let known = ["git_url", "branch", "environment", "name"];
        assert_eq!(nearest("giturl", &known), Some("git_url"));
        assert_eq!(nearest("git-url", &known), Some("git_url"));
        assert_eq!(nearest("Branch", &known), Some("branch"));
        assert_eq!(nearest("enviroment", &known), Some("environment"));
        assert_eq!(nearest("nmae", &known), Some("name"));
        assert_eq!(nearest("image", &known), None);
        assert_eq!(nearest("", &known), None);
    }
}
