//! What runs where: a row for each service, a column for each environment.

use maud::{Markup, html};
use pipeline::environment::Approval;
use pipeline::ids::ServiceName;
use pipeline::rows::FoundRow;
use serde_json::json;

use super::icon::Sign;
use super::{Act, Button, Frame, commit, digest, if_bad, sentence};
use crate::board::{Ahead, Board, Cell, Column, Image, State};

/// Draws a page of the board.
pub fn draw(frame: &Frame<'_>, board: &Board) -> Markup {
    html! {
        (wrong(board))
        @if board.columns.is_empty() {
            p { "There is no environment yet: put a document under " code { "/tidegate/environments/" } "." }
        } @else {
            div class="bar" { (frame.reason()) (pages(frame, board)) }
            div class="scroll" tabindex="0" role="region" aria-label="Services by environments" {
                table {
                    thead { tr {
                        th scope="col" { "Service" }
                        @for column in &board.columns { th scope="col" { (head(frame, column)) } }
                    } }
                    tbody {
                        @for (service, cells) in &board.rows {
                            tr {
                                th scope="row" { (service) }
                                @for (column, cell) in board.columns.iter().zip(cells) {
                                    td { (drawn(frame, service, column, cell.as_ref())) }
                                }
                            }
                        }
                    }
                }
            }
            @if board.rows.is_empty() { p { "No release has met a service yet." } }
        }
    }
}

/// Shows what is not as it should be, whatever page is shown.
fn wrong(board: &Board) -> Markup {
    let found =
        board.columns.iter().flat_map(|column| column.standing.found.iter().map(move |one| (column, one)));
    let mut found: Vec<(&Column, &FoundRow)> = found.map(|(column, (_, row))| (column, row)).collect();
    found.sort_by_key(|(_, row)| (!row.kind.is_critical(), row.since));
    let most = 12;
    html! {
        @for (name, why) in &board.broken {
            p { (Sign::Bad.says("unreadable")) " " (name) ": " (sentence(why)) }
        }
        @if !found.is_empty() {
            ul {
                @for (column, row) in found.iter().take(most) {
                    li {
                        (if row.kind.is_critical() { Sign::Bad.says("act now") } else { Sign::Odd.says("look") })
                        " " (column.name) ": " (sentence(&row.text))
                    }
                }
                @if found.len() > most { li { "and " (found.len() - most) " more: " code { "make where" } " lists all" } }
            }
        }
    }
}

fn pages(frame: &Frame<'_>, board: &Board) -> Markup {
    html! {
        @if !board.is_first { (frame.goes("First page", &json!({"view": "environments"}))) }
        @if let Some(next) = &board.next {
            (frame.goes("Next page", &json!({"view": "environments", "after": next})))
        }
    }
}

fn head(frame: &Frame<'_>, column: &Column) -> Markup {
    let (name, policy) = (&column.name, &column.policy);
    let frozen = column.standing.frozen.as_ref().filter(|row| row.frozen);
    html! {
        div { (name) @if let Some(from) = &policy.from { span class="quiet" { " from " (from) } } }
        @if let Some(row) = frozen {
            div class="note" title=(row.because) { (Sign::Held.says("frozen")) " " (sentence(&row.because)) }
        }
        @if policy.frozen { div class="note" { (Sign::Held.says("frozen")) " by its document" } }
        div class="note quiet" { (compared(frame, column)) }
        div class="note" { (buttons(frame, column)) }
    }
}

/// Shows what can be done with an environment as a whole.
fn buttons(frame: &Frame<'_>, column: &Column) -> Markup {
    let (name, frozen) = (&column.name, column.standing.frozen.as_ref().is_some_and(|row| row.frozen));
    let environment = name.clone();
    let after = match column.policy.frozen {
        true => "Its document freezes it all the same.",
        false => "Releases are let in again, and those that are held go on.",
    };
    html! {
        @if let Some(from) = &column.policy.from {
            (frame.button(&Button {
                label: "Plan",
                about: &format!("a promotion to {name}"),
                question: format!(
                    "Plan a promotion from {from} to {name}? It shows what would move, wave by wave, and changes nothing."
                ),
                act: Act::Plan { environment: environment.clone() },
            }))
            @if !column.is_frozen() {
                (frame.button(&Button {
                    label: "Promote",
                    about: &format!("all services to {name}"),
                    question: promotion(column, from.as_str()),
                    act: Act::Promote { environment: environment.clone(), service: None, repository: None, image: None },
                }))
            }
        }
        @if frozen {
            (frame.button(&Button {
                label: "Resume",
                about: name.as_str(),
                question: format!("End the freeze of {name} by request? {after}"),
                act: Act::Resume { environment },
            }))
        } @else {
            (frame.button(&Button {
                label: "Freeze",
                about: name.as_str(),
                question: format!(
                    "Freeze {name}? What goes forward is refused, and a running release stops before its next wave. A rollback \
                     then needs a reason."
                ),
                act: Act::Freeze { environment },
            }))
        }
    }
}

fn promotion(column: &Column, from: &str) -> String {
    format!(
        "Start a release of {}: every service that is behind {from} gets the digest verified there. {} {}",
        column.name,
        approval(column),
        if_bad(&column.policy)
    )
}

/// Says when it was last looked whether ECS runs what was verified.
fn compared(frame: &Frame<'_>, column: &Column) -> Markup {
    html! {
        @match &column.swept {
            None => "never compared with ECS: no sweep has run",
            Some(swept) => { "compared with ECS " (frame.time(swept.since)) },
        }
    }
}

fn approval(column: &Column) -> &'static str {
    match column.policy.approval {
        Approval::Required => "A person is asked before.",
        Approval::None => "It begins at once.",
    }
}

fn drawn(frame: &Frame<'_>, service: &ServiceName, column: &Column, cell: Option<&Cell>) -> Markup {
    html! {
        @match cell {
            None => span class="quiet" { "-" },
            Some(cell) => {
                (state(frame, &cell.state))
                @for image in &cell.images {
                    div class="note" {
                        @if cell.images.len() > 1 { span class="quiet" { (image.fact.repository) " " } }
                        (digest(&image.fact.digest)) " " (commit(image.fact.commit.as_deref())) " "
                        (frame.time(image.fact.since))
                    }
                    @if let Some(ahead) = &image.ahead { (behind(frame, service, column, image, ahead)) }
                }
            }
        }
    }
}

fn state(frame: &Frame<'_>, state: &State) -> Markup {
    html! {
        @match state {
            State::Moving(release) => { (Sign::Busy.says("moving")) " " (frame.release(release)) }
            State::Drift(why) => span title=(why) { (Sign::Odd.says("drift")) },
            State::Held(hold) => span title={ "rolled back from " (hold.digest) } { (Sign::Held.says("on hold")) },
            State::Left(release) => { (Sign::Odd.says("needs a human")) " " (frame.release(release)) }
            State::Gone => (Sign::Bad.says("gone from ECS")),
            State::Verified => (Sign::Good.says("verified")),
            State::Unknown => (Sign::Plain.says("nothing verified")),
        }
    }
}

/// Shows what the environment before has, and lets it be promoted.
fn behind(frame: &Frame<'_>, service: &ServiceName, column: &Column, image: &Image, ahead: &Ahead) -> Markup {
    let from = column.policy.from.as_ref().map(ToString::to_string).unwrap_or_default();
    html! {
        div class="note" {
            @match (&ahead.quarantine, ahead.is_held) {
                (_, true) => { span class="quiet" { (from) " has " } (digest(&ahead.fact.digest)) ", which is held: by force alone" }
                (Some(why), _) => {
                    span title=(why.reason) { (Sign::Bad.says("quarantined")) } " " (digest(&ahead.fact.digest)) " failed here"
                }
                (None, false) => {
                    span class="quiet" { (from) " has " } (digest(&ahead.fact.digest)) " "
                    (commit(ahead.fact.commit.as_deref())) " "
                    @if !column.is_frozen() { (frame.button(&Button {
                        label: "Promote",
                        about: &format!("{service} to {}", column.name),
                        question: format!(
                            "Release {service} in {}: {} -> {}, as verified in {from}. {} {}",
                            column.name, image.fact.digest.short(), ahead.fact.digest.short(), approval(column), if_bad(&column.policy)
                        ),
                        act: Act::Promote {
                            environment: column.name.clone(),
                            service: Some(service.clone()),
                            repository: Some(image.fact.repository.clone()),
                            image: Some(ahead.fact.digest.clone()),
                        },
                    })) }
                }
            }
        }
    }
}
