//! The operators of extra specs, as Cinder's guides write them.

/// Whether a capability satisfies what an extra spec asks for.
#[must_use]
pub fn matches(value: &str, wanted: &str) -> bool {
    let mut words = wanted.split_whitespace();
    let Some(operator) = words.next() else {
        return value.is_empty();
    };
    let rest: Vec<&str> = words.collect();
    let first = rest.first().copied().unwrap_or_default();
    let number =
        |test: fn(f64, f64) -> bool| match (value.trim().parse::<f64>(), first.parse::<f64>()) {
            (Ok(have), Ok(want)) => test(have, want),
            _ => false,
        };
    match operator {
        "<is>" => truth(value) == truth(first),
        "<in>" => rest
            .split(|word| *word == "<in>")
            .all(|part| contains(value, &part.join(" "))),
        "<all-in>" => rest.iter().all(|part| contains(value, part)),
        "<or>" => rest
            .split(|word| *word == "<or>")
            .any(|part| value == part.join(" ")),
        "=" | ">=" => number(|have, want| have >= want),
        "<=" => number(|have, want| have <= want),
        "==" => number(|have, want| (have - want).abs() < f64::EPSILON),
        "!=" => number(|have, want| (have - want).abs() >= f64::EPSILON),
        "s==" => value == first,
        "s!=" => value != first,
        "s<" => value < first,
        "s<=" => value <= first,
        "s>" => value > first,
        "s>=" => value >= first,
        _ => value == wanted || value.eq_ignore_ascii_case(wanted),
    }
}

/// A list is searched word by word, so that `sync` is not found in `async`; a text as a whole may hold the part.
fn contains(value: &str, part: &str) -> bool {
    let mut words = value
        .split(|c: char| c.is_whitespace() || ",[]'\"".contains(c))
        .filter(|word| !word.is_empty());
    let known = ["async", "sync", "trisync"].contains(&part);
    words.any(|word| word == part) || (!known && value.contains(part))
}

fn truth(word: &str) -> bool {
    matches!(
        word.trim().to_ascii_lowercase().as_str(),
        "true" | "1" | "yes" | "on" | "t" | "y"
    )
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn every_operator_of_extra_specs_is_understood() {
        let yes = [
            ("True", "<is> True"),
            ("async sync", "<in> sync"),
            ("async sync", "<in> async"),
            ("a", "<or> b <or> a"),
            ("5", ">= 4"),
            ("5", "= 5"),
            ("5", "== 5"),
            ("4", "<= 5"),
            ("x", "s== x"),
            ("x", "s!= y"),
            ("iSCSI", "iSCSI"),
            ("5", "!= 4"),
            ("a b c", "<all-in> a c"),
        ];
        for (value, wanted) in yes {
            assert!(matches(value, wanted), "{value} should satisfy {wanted}");
        }
        let no = [
            ("False", "<is> True"),
            ("async", "<in> sync"),
            ("c", "<or> b <or> a"),
            ("3", ">= 4"),
            ("x", "s== y"),
            ("FC", "iSCSI"),
            ("many", ">= 4"),
        ];
        for (value, wanted) in no {
            assert!(
                !matches(value, wanted),
                "{value} should not satisfy {wanted}"
            );
        }
    }
}
