//! The first line: what happened to what and where, why, what stands, and whether somebody must act.
//!
//! A telephone shows 140 characters of it.  If it is too long the reason is cut first, and names in their middle; never
//! the outcome, the place, what stands and whether to act.

use pipeline::text::{cut, line};

use super::text::name;
use crate::kind::Act;

/// How long a title is at most.
pub(super) const LONGEST: usize = 140;

/// How long the shortest reason is that says something.
const SHORTEST_WHY: usize = 16;

/// To how many characters names are shortened, if need be.
const NAMES: [usize; 6] = [255, 64, 40, 24, 16, 10];

/// What a title is made of.
#[derive(Debug)]
pub(super) struct Title<'a> {
    /// What happened.
    pub words: &'a str,
    /// The services that it happened to; none if only a release is known.
    pub services: &'a [&'a str],
    /// What is named where no service is known.
    pub instead: &'a str,
    /// The environment.
    pub place: Option<&'a str>,
    /// Why.
    pub why: &'a str,
    /// What is so now.
    pub stands: String,
    /// Whether somebody must act.
    pub act: Act,
}

impl Title<'_> {
    /// Writes it within so many characters.
    pub fn within(&self, most: usize) -> String {
        let fits = NAMES.iter().map(|names| self.written(*names, &self.stands, most));
        let short = self.written(10, "", most);
        let whole = fits.chain([short]).find(|title| title.chars().count() <= most);
        whole.unwrap_or_else(|| {
            let phrase = self.act.phrase();
            let head = self.words.chars();
            format!("{}. {phrase}", cut(head, most.saturating_sub(phrase.len() + 2)))
        })
    }

    fn written(&self, names: usize, stands: &str, most: usize) -> String {
        let head = format!("{} {}", self.words, self.what(names));
        let head = format!("{}{}", head.trim_end(), self.place(names));
        let (stands, phrase) = (line(stands, most), self.act.phrase());
        let end = |mark: &str| match stands.as_str() {
            "" => format!(". {phrase}"),
            stands => format!("{mark} {stands}. {phrase}"),
        };
        let fixed = head.chars().count() + end(";").chars().count() + 2;
        let why = line(self.why.trim_end_matches('.'), 1024);
        let room = most.saturating_sub(fixed);
        match why.chars().count() {
            0 => format!("{head}{}", end(":")),
            length if length <= room => format!("{head}: {why}{}", end(";")),
            _ if room >= SHORTEST_WHY => format!("{head}: {}{}", cut(why.chars(), room), end(";")),
            _ => format!("{head}{}", end(":")),
        }
    }

    fn what(&self, names: usize) -> String {
        match self.services {
            [] => name(self.instead, names.max(36)),
            [one] => name(one, names),
            [one, two] => format!("{} and {}", name(one, names), name(two, names)),
            [one, others @ ..] => format!("{} and {} more", name(one, names), others.len()),
        }
    }

    fn place(&self, names: usize) -> String {
        self.place.map_or_else(String::new, |place| format!(" in {}", name(place, names)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHY: &str = "live test health failed 3 of 3 times: GET http://10.0.0.2:8080/health: expected $.status to be \
                       \"ok\", got status 200 in 12 ms";

    fn title<'a>(services: &'a [&'a str], place: &'a str, why: &'a str) -> Title<'a> {
        let (words, instead) = ("ROLLED BACK", "release 7c9e6679-7425-40de-944b-e07fc1f90ae7");
        let stands = "1a2b3c runs again, proven".to_owned();
        Title { words, services, instead, place: Some(place), why, stands, act: Act::None }
    }

    #[test]
    fn it_says_what_where_why_what_stands_and_whether_to_act() {
        let why = "live test health failed 3 of 3";
        assert_eq!(
            title(&["users"], "prod", why).within(LONGEST),
            "ROLLED BACK users in prod: live test health failed 3 of 3; 1a2b3c runs again, proven. Nothing to do now."
        );
        assert_eq!(
            title(&["users", "orders", "carts"], "prod", "").within(LONGEST),
            "ROLLED BACK users and 2 more in prod: 1a2b3c runs again, proven. Nothing to do now."
        );
        assert_eq!(
            title(&[], "prod", "").within(LONGEST),
            "ROLLED BACK release 7c9e6679-7425-40de-944b-e07fc1f90ae7 in prod: 1a2b3c runs again, proven. Nothing to do \
             now."
        );
    }

    #[test]
    fn the_reason_is_cut_first_and_then_names_in_their_middle() {
        assert_eq!(
            title(&["users"], "prod", WHY).within(LONGEST),
            "ROLLED BACK users in prod: live test health failed 3 of 3 times: GET http://10.0.0.2:8080/...; 1a2b3c runs \
             again, proven. Nothing to do now."
        );
        let long = "a-service-with-a-name-of-more-than-forty-characters-in-it-all-the-way-to-its-end";
        assert_eq!(
            title(&[long, "b"], "an-environment-with-a-long-name", WHY).within(LONGEST),
            "ROLLED BACK a-service-with-a-na..-the-way-to-its-end and b in an-environment-with-a-long-name: 1a2b3c \
             runs again, proven. Nothing to do now."
        );
    }

    #[test]
    fn whatever_it_is_made_of_it_fits_and_says_whether_to_act() {
        let long = "ß".repeat(255);
        for most in [88, LONGEST] {
            for services in [&[][..], &[long.as_str()], &[&long, &long], &[&long, &long, &long]] {
                for why in ["", "short", WHY] {
                    for stands in ["", "3 services are back, proven", &"s".repeat(300)] {
                        let title = Title { stands: stands.to_owned(), ..title(services, &long, why) };
                        let title = title.within(most);
                        assert!(title.chars().count() <= most, "{title}");
                        assert!(
                            title.starts_with("ROLLED BACK ") && title.ends_with(". Nothing to do now."),
                            "{title}"
                        );
                    }
                }
            }
        }
    }
}
