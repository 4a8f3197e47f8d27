//! What AlterConfigs and IncrementalAlterConfigs have in common: the way to the controller, and what each resource is told.

use crate::base::clock::Now;
use crate::base::error_code::ErrorCode;
use crate::broker::api::{Context, Outcome};
use crate::broker::broker::Broker;
use crate::broker::message::ControllerRequest;
use crate::broker::question::Question;
use crate::metadata::controller::Refused;
use crate::metadata::controller::alter_configs::{AlterOutcome, AlteredResource};
use crate::wire::messages::StrBytes;

/// A resource of an AlterConfigs request.
#[derive(Debug)]
pub(super) struct AlteredName {
    pub(super) kind: i8,
    pub(super) name: String,
}

impl AlteredName {
    pub(super) fn of(resource: &AlteredResource) -> AlteredName {
        AlteredName { kind: resource.kind, name: resource.name.clone() }
    }
}

/// Passes the changes to the controller.
pub(super) fn ask(
    broker: &mut Broker,
    context: &Context,
    resources: Vec<AlteredResource>,
    (validate_only, incremental): (bool, bool),
    now: Now,
) -> Outcome {
    let names = resources.iter().map(AlteredName::of).collect();
    let question = Question::AlterConfigs { context: *context, names, incremental };
    broker.ask(question, ControllerRequest::AlterConfigs { resources, validate_only }, now);
    Outcome::Parked
}

/// What each resource is told; the controller decided, or refused everything.
pub(super) fn verdicts(
    broker: &mut Broker,
    names: Vec<AlteredName>,
    outcomes: Result<Vec<AlterOutcome>, Refused>,
) -> Vec<(AlteredName, ErrorCode, Option<StrBytes>)> {
    let refuse = |refused: Refused| names.iter().map(|_| Err(refused.clone())).collect();
    let outcomes = outcomes.unwrap_or_else(refuse);
    broker.counters.request_errors += u64::from(outcomes.iter().any(Result::is_err));
    let verdict = |(name, outcome): (AlteredName, AlterOutcome)| match outcome {
        Ok(()) => (name, ErrorCode::None, None),
        Err(Refused { code, message }) => (name, code, Some(StrBytes::from_string(message))),
    };
    names.into_iter().zip(outcomes).map(verdict).collect()
}
