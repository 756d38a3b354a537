//! Makes texts out of bytes: samples that are changed as JSON or as text, and the bytes themselves.

mod json;
mod words;

use arbitrary::{Result, Unstructured};
use serde_json::Value;
use states::Random;

/// Makes the text that these bytes choose, from one of the samples.
pub fn text(samples: &[String], bytes: &[u8]) -> String {
    drawn(samples, &mut Unstructured::new(bytes)).unwrap_or_default()
}

/// Draws bytes for one text.
pub fn bytes(random: &mut Random) -> Vec<u8> {
    let words = 8 << random.below(6);
    (0..words).flat_map(|_| random.draw().to_le_bytes()).collect()
}

fn drawn(samples: &[String], choices: &mut Unstructured<'_>) -> Result<String> {
    let how = choices.int_in_range(0..=15_u8)?;
    if how == 0 {
        let rest = choices.bytes(choices.len())?;
        return Ok(String::from_utf8_lossy(rest).into_owned());
    }
    let sample = choices.choose(samples)?;
    let (mut text, is_json) = match serde_json::from_str::<Value>(sample) {
        Ok(mut value) if value.is_object() => {
            for _ in 0..choices.int_in_range(0..=4_u8)? {
                json::change(&mut value, samples, choices)?;
            }
            (value.to_string(), true)
        }
        _ => (sample.clone(), false),
    };
    if how == 1 || !is_json {
        for _ in 0..choices.int_in_range(0..=4_u8)? {
            text = words::changed(&text, choices)?;
        }
    }
    Ok(text)
}
