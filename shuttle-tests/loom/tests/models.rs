//! Each model holds, and each ordering that it names is needed: weakened, the model fails.

use mvcc_loom::models::{self, weaken};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// So many times a schedule may take the processor from a thread that could go on.
const PREEMPTIONS: usize = 3;

fn explore(model: fn()) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(PREEMPTIONS);
    builder.max_branches = 100_000;
    builder.check(model);
}

fn fails_without(name: &'static str, model: fn()) {
    weaken(name);
    let explored = catch_unwind(AssertUnwindSafe(|| explore(model)));
    let panic = explored.expect_err("the model does not need this ordering");
    let message = panic.downcast_ref::<String>().cloned();
    let message = message.or_else(|| Some((*panic.downcast_ref::<&str>()?).to_owned()));
    let message = message.unwrap_or_default();
    println!("{message}");
    let is_endless = message.contains("maximum number of branches") || message.contains("deadlock");
    assert!(!is_endless, "it fails only by not ending: {message}");
}

macro_rules! models {
    ($($model:ident: $($ordering:ident),*;)+) => {$(
        mod $model {
            #[test]
            fn holds() {
                super::explore(super::models::$model);
            }

            mod needs {
                $(#[test]
                fn $ordering() {
                    super::super::fails_without(stringify!($ordering), super::super::models::$model);
                })*
            }
        }
    )+};
}

models! {
    publish_and_read: publish, word;
    lock_word: publish;
    two_rows_together: publish, word;
    hold_against_removal: forget_removal;
    removal_and_look_up: bury;
    slot_against_own_scan: begin_fence, narrow;
    slot_against_another_scan: ;
    gate: look_at_gate, gate_fence;
    gate_opens: ;
    index_insert: array, set_array, inserts, count_insert;
    index_slot_is_reused: slot, set_slot;
}
