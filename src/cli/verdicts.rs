//! What became of each of several things: a table or JSON, and failures in words.

use crate::cli::ending::{Ending, Trouble, complain};
use crate::cli::json::Json;
use crate::cli::reach::Output;
use crate::cli::table::Table;
use crate::client::failure::{Cause, Failure, name_of};

/// A failure for programs.
pub(crate) fn failure_json(failure: &Failure) -> Json {
    let code = match &failure.cause {
        Cause::Code { code, .. } => [("code", Json::number(*code)), ("name", Json::text(name_of(*code)))],
        _ => [("code", Json::Null), ("name", Json::Null)],
    };
    let rest = [
        ("message", Json::text(failure.reason())),
        ("broker", Json::text(&failure.broker)),
        ("remedy", Json::optional(failure.remedy())),
    ];
    Json::Fields(code.into_iter().chain(rest).collect())
}

/// Prints what became of each; failures also in words on standard error. `kind` is what they are, `done` the word for success.
pub(crate) fn report<'a>(
    output: &Output,
    kind: &'static str,
    verdicts: impl Iterator<Item = (&'a str, &'a Result<(), Failure>)> + Clone,
    done: &str,
) -> Result<Ending, Trouble> {
    let table = || {
        let mut table = Table::new([kind, "status"]);
        for (name, result) in verdicts.clone() {
            table.row([name.to_string(), result.as_ref().map_or_else(Failure::reason, |()| done.to_string())]);
        }
        vec![table]
    };
    let json = || {
        Json::list(verdicts.clone().map(|(name, result)| {
            let error = result.as_ref().err().map_or(Json::Null, failure_json);
            Json::Fields(vec![(kind, Json::text(name)), ("done", Json::Bool(result.is_ok())), ("error", error)])
        }))
    };
    output.print(table, json)?;
    let failures: Vec<&Failure> = verdicts.clone().filter_map(|(_, result)| result.as_ref().err()).collect();
    failures.iter().for_each(complain);
    Ok(Ending::of(verdicts.count() - failures.len(), failures.len()))
}
