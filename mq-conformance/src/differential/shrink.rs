//! From a sequence that shows a difference to the shortest and plainest one that still does.

use serde_json::Value;

use super::op::Step;

/// Tries that one search may take; a smaller case is worth a minute, not an hour.
const TRIES_MAX: usize = 3_000;

/// Makes a failing sequence smaller as long as it goes on failing.
pub async fn shrink(
    mut steps: Vec<Step>,
    mut fails: impl AsyncFnMut(&[Step]) -> bool,
) -> Vec<Step> {
    let mut tries = 0;
    loop {
        let before = steps.clone();
        let mut len = steps.len();
        while len > 0 {
            let mut at = 0;
            while at < steps.len() && tries < TRIES_MAX {
                let mut fewer = steps.clone();
                fewer.drain(at..steps.len().min(at + len));
                tries += 1;
                if fails(&fewer).await {
                    steps = fewer;
                } else {
                    at += len;
                }
            }
            len /= 2;
        }
        for at in 0..steps.len() {
            let mut plainer = plainer_than(&steps[at]).into_iter();
            while let Some(step) = plainer.next().filter(|_| tries < TRIES_MAX) {
                let mut changed = steps.clone();
                changed[at] = step;
                tries += 1;
                if fails(&changed).await {
                    plainer = plainer_than(&changed[at]).into_iter();
                    steps = changed;
                }
            }
        }
        if steps == before || tries >= TRIES_MAX {
            return steps;
        }
    }
}

/// Steps that are a little plainer: a number lower, a list shorter, a flag not set. Made from the
/// text form, so that a new field needs no word here.
fn plainer_than(step: &Step) -> Vec<Step> {
    let Ok(value) = serde_json::to_value(step) else { return Vec::new() };
    let steps =
        plainer_values(&value).into_iter().filter_map(|value| serde_json::from_value(value).ok());
    steps.filter(|other| other != step).collect()
}

fn plainer_values(value: &Value) -> Vec<Value> {
    match value {
        Value::Bool(true) => vec![Value::Bool(false)],
        Value::Number(number) => {
            let mut numbers = Vec::new();
            if let Some(number) = number.as_i64().filter(|number| *number != 0) {
                numbers.extend([0, number / 2, number - number.signum()]);
            }
            numbers.dedup();
            let mut values = vec![Value::Null];
            values.extend(numbers.into_iter().map(Value::from));
            values
        }
        Value::Array(items) => {
            let mut values = Vec::new();
            for at in 0..items.len() {
                let mut fewer = items.clone();
                fewer.remove(at);
                values.push(Value::Array(fewer));
            }
            for (at, item) in items.iter().enumerate() {
                values.extend(plainer_values(item).into_iter().map(|item| {
                    let mut changed = items.clone();
                    changed[at] = item;
                    Value::Array(changed)
                }));
            }
            values
        }
        Value::Object(fields) => {
            let mut values = Vec::new();
            for (name, field) in fields {
                let mut less = fields.clone();
                less.remove(name);
                values.push(Value::Object(less));
                values.extend(plainer_values(field).into_iter().map(|field| {
                    let mut changed = fields.clone();
                    changed.insert(name.clone(), field);
                    Value::Object(changed)
                }));
            }
            values
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::generate;
    use super::super::op::Op;
    use super::*;

    #[tokio::test]
    async fn what_does_not_matter_goes_and_what_does_stays() {
        let pauses = |steps: &[Step]| {
            let is_late = |step: &&Step| matches!(step.op, Op::Advance { ms } if ms >= 999);
            let first = steps.iter().position(|step| matches!(step.op, Op::Pause { .. }));
            first.is_some_and(|first| steps[first..].iter().any(|step| is_late(&step)))
        };
        let long = (0..).map(|seed| generate(seed, 60)).find(|steps| pauses(steps));
        let short = shrink(long.expect("some sequence"), async |steps| pauses(steps)).await;
        let expected = [Step::of(Op::Pause { queue: 0 }), Step::of(Op::Advance { ms: 999 })];
        assert_eq!(short, expected);
    }
}
