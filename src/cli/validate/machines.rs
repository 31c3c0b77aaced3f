//! Replays exhaustive enumerations of small machines: so far the guarantee matrix.
//!
//! The outbox, two-phase commit, bounded buffers, poison pills and the kick-out are not covered.

use serde_json::{Value, json};

use super::read::{Stop, each, same, text};
use super::{Case, Verdict};
use crate::model::guarantee::{AckPoint, DedupeKey, Fault, Setting, Verdict as Ended, run};

/// One message, one fault, and more.
pub const SCHEMA: &str = "machines/1";
/// The list that is replayed.
const GUARANTEES: &str = "guarantees";

/// Replays the guarantee matrix; the entries of all other lists are not covered.
pub fn replay(record: &Value) -> Vec<Case> {
    let mut cases = each("machines guarantees", GUARANTEES, &record[GUARANTEES], guarantee);
    for (name, list) in record.as_object().into_iter().flatten() {
        let Some(list) = list.as_array().filter(|_| name != GUARANTEES) else { continue };
        let group = format!("machines {name}");
        for index in 1..=list.len() {
            let verdict = Verdict::NotCovered(format!("the machines of `{name}`"));
            cases.push(Case::new(format!("{name}/{index}"), &group, verdict));
        }
    }
    cases
}

fn guarantee(row: &Value) -> Result<(), Stop> {
    let flag = |key: &str| {
        row[key].as_bool().ok_or_else(|| format!("`{key}` is {}, allowed: true, false", row[key]))
    };
    let setting = Setting {
        retries: flag("producer_retries_until_acked")?,
        durable: flag("broker_durable")?,
        ack: match text(row, "consumer_ack")? {
            "on_delivery" => AckPoint::OnDelivery,
            "after_work" => AckPoint::AfterWork,
            other => return Err(unknown("consumer_ack", other)),
        },
        dedupe: match text(row, "dedupe_key")? {
            "none" => DedupeKey::None,
            "broker_id" => DedupeKey::BrokerId,
            "producer_id" => DedupeKey::ProducerId,
            other => return Err(unknown("dedupe_key", other)),
        },
    };
    let fault = match text(row, "fault")? {
        "none" => Fault::None,
        "request_lost" => Fault::RequestLost,
        "broker_ack_lost" => Fault::BrokerAckLost,
        "broker_restart_before_delivery" => Fault::RestartBeforeDelivery,
        "broker_restart_while_unacked" => Fault::RestartWhileUnacked,
        "consumer_crash_before_work" => Fault::CrashBeforeWork,
        "consumer_crash_after_work_before_ack" => Fault::CrashAfterWork,
        "consumer_ack_lost" => Fault::ConsumerAckLost,
        "redelivery_after_timeout" => Fault::RedeliveryAfterTimeout,
        other => return Err(unknown("fault", other)),
    };
    let outcome = run(setting, fault);
    let verdict = match outcome.verdict() {
        Ended::Ok => "ok",
        Ended::Lost => "lost",
        Ended::Duplicate => "duplicate",
    };
    same("sends", &row["sends"], &json!(outcome.sends))?;
    same("stored_copies", &row["stored_copies"], &json!(outcome.stored_copies))?;
    same("deliveries", &row["deliveries"], &json!(outcome.deliveries))?;
    same("effects", &row["effects"], &json!(outcome.effects))?;
    Ok(same("verdict", &row["verdict"], &json!(verdict))?)
}

fn unknown(key: &str, value: &str) -> Stop {
    Stop::NotCovered(format!("`{key}` {value}"))
}
