//! Histories that are wrong, each in its way, and next to each what would have been right.
//!
//! T0 writes what is there at the start. Values tell their writer: 10 and 11 are T1's.

mod support;

use shuttle_tests::history::History;
use shuttle_tests::report::Report;
use shuttle_tests::verdict::Anomaly::{self, *};
use shuttle_tests::{blackbox, exact};
use support::{Tx, history, l, p, tx};

fn rejected(history: &History, by_exact: Anomaly, by_blackbox: Anomaly) {
    let exact = exact::check(history);
    let exact = exact.violation().expect("the exact checker rejects it");
    let blackbox = blackbox::check(history);
    let blackbox = blackbox
        .violation()
        .expect("the black-box checker rejects it");
    assert_eq!(
        (exact.anomaly, blackbox.anomaly),
        (by_exact, by_blackbox),
        "{exact}\n{blackbox}"
    );
    for violation in [exact, blackbox] {
        // The transactions are spelled out.
        assert!(violation.explanation.contains("on thread"), "{violation}");
    }
}

fn accepted(history: &History) {
    let report = Report::of(history);
    assert!(
        report.exact.is_accepted() && report.blackbox.is_accepted(),
        "{report}"
    );
}

/// Only the timestamps are wrong.
fn rejected_by_timestamps(history: &History, anomaly: Anomaly) {
    let report = Report::of(history);
    let violation = report
        .exact
        .violation()
        .expect("the exact checker rejects it");
    assert_eq!(violation.anomaly, anomaly);
    assert!(report.blackbox.is_accepted(), "{report}");
}

/// Rows 0 and 1.
fn two_rows() -> Tx {
    tx(0, 1).at(1).write(p(0), 1).write(p(1), 2)
}

#[test]
fn lost_update() {
    let with = |seen| {
        history([
            two_rows(),
            tx(2, 5).at(10).read(p(0), 1).write(p(0), 10),
            tx(3, 6).at(11).read(p(0), seen).write(p(0), 20),
        ])
    };
    rejected(&with(1), WrongRead, LostUpdate);
    accepted(&with(10));
}

#[test]
fn lost_append() {
    let with = |last: &[u64]| {
        history([
            tx(0, 1).at(1).append(l(0), 1),
            tx(2, 5).at(10).list(l(0), &[1]).append(l(0), 10),
            tx(3, 6).at(11).append(l(0), 20),
            tx(7, 8).at(12).list(l(0), last),
        ])
    };
    rejected(&with(&[1, 20]), WrongRead, GSingle);
    accepted(&with(&[1, 10, 20]));
    rejected_by_timestamps(
        &history([
            tx(0, 1).at(1).append(l(0), 1),
            tx(2, 5).at(11).list(l(0), &[1]).append(l(0), 10),
            tx(3, 6).at(10).append(l(0), 20),
            tx(7, 8).at(12).list(l(0), &[1, 10, 20]),
        ]),
        WrongRead,
    );
}

#[test]
fn write_skew() {
    let with = |seen| {
        history([
            two_rows(),
            tx(2, 5).at(10).read(p(1), 2).write(p(0), 10),
            tx(3, 6).at(11).read(p(0), seen).write(p(1), 20),
        ])
    };
    rejected(&with(1), WrongRead, G2);
    accepted(&with(10));
}

#[test]
fn read_skew() {
    let with = |reader: Tx, second| {
        history([
            two_rows(),
            tx(2, 5).at(10).write(p(0), 10).write(p(1), 11),
            reader.read(p(0), 1).read(p(1), second),
        ])
    };
    rejected(&with(tx(3, 6).at(10), 11), WrongRead, GSingle);
    rejected(&with(tx(3, 6).at(11), 11), WrongRead, GSingle);
    accepted(&with(tx(3, 6).at(10), 2));
    // Opacity: one that aborts must not see it either, nor may one whose timestamp is not known.
    for reader in [|| tx(3, 6).aborted(), || tx(3, 6)] {
        rejected(&with(reader(), 11), NoConsistentState, GSingle);
        accepted(&with(reader(), 2));
    }
}

#[test]
fn long_fork() {
    let with = |seen| {
        history([
            two_rows(),
            tx(2, 8).at(10).write(p(0), 10),
            tx(3, 9).at(11).write(p(1), 20),
            tx(4, 10).at(11).read(p(0), 10).read(p(1), 2),
            tx(5, 11).at(12).read(p(0), seen).read(p(1), 20),
        ])
    };
    rejected(&with(1), WrongRead, G2);
    accepted(&with(10));
}

#[test]
fn dirty_write_g0() {
    let with = |first| {
        history([
            two_rows(),
            tx(2, 5).at(10).write(p(0), 10).write(p(1), 11),
            tx(3, 6).at(11).write(p(0), 20).write(p(1), 21),
            tx(7, 8).at(12).read(p(0), first).read(p(1), 21),
        ])
    };
    rejected(&with(10), WrongRead, WriteCycle);
    accepted(&with(20));
    let lists = |first: &[u64], second: &[u64]| {
        history([
            tx(2, 5).at(10).append(l(0), 10).append(l(1), 11),
            tx(3, 6).at(11).append(l(0), 20).append(l(1), 21),
            tx(7, 8).at(12).list(l(0), first).list(l(1), second),
        ])
    };
    rejected(&lists(&[10, 20], &[21, 11]), WrongRead, WriteCycle);
    accepted(&lists(&[10, 20], &[11, 21]));
}

#[test]
fn aborted_read_g1a() {
    let with = |seen| {
        history([
            two_rows(),
            tx(2, 5).aborted().write(p(0), 10),
            tx(3, 6).at(11).read(p(0), seen),
        ])
    };
    rejected(&with(10), WrongRead, AbortedRead);
    accepted(&with(1));
}

/// An insert that was aborted shows in a scan.
#[test]
fn aborted_insert_visible() {
    let with = |rows: &[(u32, u64)]| {
        history([
            tx(0, 1).at(1).write(p(0), 1),
            tx(2, 3).aborted().write(p(1), 10),
            tx(4, 5).at(11).scan(rows),
        ])
    };
    rejected(&with(&[(0, 1), (1, 10)]), WrongRead, AbortedRead);
    accepted(&with(&[(0, 1)]));
}

#[test]
fn dirty_update() {
    let with = |seen| {
        history([
            two_rows(),
            tx(2, 5).aborted().write(p(0), 10),
            tx(3, 6).at(11).read(p(0), seen).write(p(0), 20),
        ])
    };
    rejected(&with(10), WrongRead, DirtyUpdate);
    accepted(&with(1));
}

#[test]
fn intermediate_read_g1b() {
    let with = |seen| {
        history([
            two_rows(),
            tx(2, 5).at(10).write(p(0), 10).write(p(0), 11),
            tx(3, 6).at(11).read(p(0), seen),
        ])
    };
    rejected(&with(10), WrongRead, IntermediateRead);
    accepted(&with(11));
    let lists = |seen: &[u64]| {
        history([
            tx(2, 5).at(10).append(l(0), 10).append(l(0), 11),
            tx(3, 6).at(11).list(l(0), seen),
        ])
    };
    // Named T0 and T1 here.
    rejected(&lists(&[10]), WrongRead, IntermediateRead);
    accepted(&lists(&[10, 11]));
}

#[test]
fn circular_information_flow_g1c() {
    let with = |seen| {
        history([
            two_rows(),
            tx(2, 5).at(10).write(p(0), 10).read(p(1), seen),
            tx(3, 6).at(11).write(p(1), 20).read(p(0), 10),
        ])
    };
    rejected(&with(20), WrongRead, CircularInformationFlow);
    accepted(&with(2));
}

/// OTV: what was seen of T2 vanishes, and T1's is there again.
#[test]
fn observed_transaction_vanishes() {
    let with = |reader: Tx, second| {
        history([
            two_rows(),
            tx(2, 6).at(10).write(p(0), 10).write(p(1), 11),
            tx(3, 7)
                .at(11)
                .read(p(0), 10)
                .write(p(0), 20)
                .write(p(1), 21),
            reader.read(p(0), 20).read(p(1), second),
        ])
    };
    rejected(&with(tx(4, 8).at(12), 11), WrongRead, GSingle);
    rejected(&with(tx(4, 8).aborted(), 11), NoConsistentState, GSingle);
    accepted(&with(tx(4, 8).at(12), 21));
}

/// PMP: the same scan twice, and a row more the second time; or a scan and a read.
#[test]
fn predicate_many_preceders() {
    let twice = |rows: &[(u32, u64)]| {
        history([
            two_rows(),
            tx(2, 5).at(10).write(p(2), 10),
            tx(3, 6).at(11).scan(&[(0, 1), (1, 2)]).scan(rows),
        ])
    };
    rejected(&twice(&[(0, 1), (1, 2), (2, 10)]), WrongRead, Internal);
    let mut good = twice(&[(0, 1), (1, 2)]);
    good.transactions[2].timestamp = Some(9);
    accepted(&good);
    let scan_and_read = |reader: Tx| {
        history([
            two_rows(),
            tx(2, 5).at(10).write(p(1), 10).write(p(2), 11),
            reader.scan(&[(0, 1), (1, 2)]).read(p(2), 11),
        ])
    };
    rejected(&scan_and_read(tx(3, 6).at(11)), WrongRead, Internal);
}

#[test]
fn phantom_by_insert() {
    let with = |second: &[(u32, u64)]| {
        history([
            tx(0, 1).at(1).write(p(0), 1),
            tx(2, 5).at(10).scan(&[(0, 1)]).write(p(1), 10),
            tx(3, 6).at(11).scan(second).write(p(2), 20),
        ])
    };
    rejected(&with(&[(0, 1)]), WrongRead, G2);
    accepted(&with(&[(0, 1), (1, 10)]));
}

#[test]
fn phantom_by_delete() {
    let with = |second: &[(u32, u64)]| {
        history([
            two_rows(),
            tx(2, 5).at(10).scan(&[(0, 1), (1, 2)]).remove(p(0)),
            tx(3, 6).at(11).scan(second).remove(p(1)),
        ])
    };
    rejected(&with(&[(0, 1), (1, 2)]), WrongRead, G2);
    accepted(&with(&[(1, 2)]));
}

#[test]
fn phantom_by_absent_key() {
    let with = |tx2: Tx| {
        history([
            tx(0, 1).at(1).write(p(0), 1),
            tx(2, 5).at(10).absent(p(2)).write(p(1), 10),
            tx2.write(p(2), 20),
        ])
    };
    rejected(&with(tx(3, 6).at(11).absent(p(1))), WrongRead, G2);
    accepted(&with(tx(3, 6).at(11).read(p(1), 10)));
}

/// A deleted key comes back in between. Deletions are not told apart when they are read, so no
/// cycle shows it, only the search.
#[test]
fn absence_after_an_insert_was_seen() {
    let with = |last: Tx| {
        history([
            two_rows(),
            tx(2, 9).at(10).remove(p(0)),
            tx(3, 4).at(11).write(p(0), 20),
            last,
        ])
    };
    let mut again = with(tx(10, 11).at(12).read(p(0), 20));
    accepted(&again);
    again.transactions.push(tx(12, 13).at(13).absent(p(0)).0);
    rejected(&again, WrongRead, NoOrder);
    rejected(
        &with(tx(5, 8).at(12).absent(p(0)).read(p(1), 3)),
        WrongRead,
        Garbage,
    );
}

/// Fekete et al.: the two that write are serializable by themselves, and what reads is not.
#[test]
fn read_only_anomaly() {
    let with = |seen| {
        history([
            two_rows(),
            tx(2, 9)
                .at(20)
                .read(p(0), 1)
                .read(p(1), seen)
                .write(p(0), 10),
            tx(3, 4).at(10).read(p(1), 2).write(p(1), 20),
            tx(5, 6).at(11).read(p(0), 1).read(p(1), 20),
        ])
    };
    rejected(&with(2), WrongRead, G2);
    accepted(&with(20));
}

#[test]
fn stale_read_across_real_time() {
    let with = |reader: Tx, seen| {
        history([
            two_rows(),
            tx(2, 3).at(10).write(p(0), 10),
            reader.read(p(0), seen),
        ])
    };
    // At a timestamp that is too small; at one that is not; at none.
    rejected(
        &with(tx(4, 5).at(9), 1),
        TimestampAgainstRealTime,
        RealTimeCycle,
    );
    rejected(&with(tx(4, 5).at(11), 1), WrongRead, RealTimeCycle);
    rejected(&with(tx(4, 5), 1), NoConsistentState, RealTimeCycle);
    rejected(
        &with(tx(4, 5).aborted(), 1),
        NoConsistentState,
        RealTimeCycle,
    );
    accepted(&with(tx(4, 5).at(11), 10));
    accepted(&with(tx(3, 5).at(9), 1));
    accepted(&with(tx(3, 5), 1));
}

/// Two readers, one after the other, of which the second one sees the older state.
#[test]
fn reads_go_back_in_time() {
    let with = |first: Tx, second: Tx, seen| {
        history([
            two_rows(),
            tx(2, 9).at(10).write(p(0), 10),
            first.read(p(0), 10),
            second.read(p(0), seen),
        ])
    };
    let (first, second) = (|| tx(3, 4), || tx(5, 6));
    rejected(
        &with(first(), second(), 1),
        NoConsistentState,
        RealTimeCycle,
    );
    rejected(
        &with(first().aborted(), second().at(10), 1),
        NoConsistentState,
        RealTimeCycle,
    );
    accepted(&with(first(), second(), 10));
    accepted(&with(first(), tx(4, 6), 1));
}

#[test]
fn real_time_between_disjoint_keys() {
    let with = |first, second| {
        history([
            two_rows(),
            tx(2, 3).at(first).write(p(0), 10),
            tx(4, 5).at(second).write(p(1), 20),
        ])
    };
    rejected_by_timestamps(&with(11, 10), TimestampAgainstRealTime);
    accepted(&with(10, 11));
}

#[test]
fn own_write_not_seen() {
    let with = |own: Tx| history([two_rows(), own]);
    rejected(
        &with(tx(2, 3).at(10).write(p(0), 10).read(p(0), 1)),
        WrongRead,
        Internal,
    );
    rejected(
        &with(tx(2, 3).at(10).remove(p(0)).read(p(0), 1)),
        WrongRead,
        Internal,
    );
    rejected(
        &with(tx(2, 3).aborted().write(p(2), 10).scan(&[(0, 1), (1, 2)])),
        NoConsistentState,
        Internal,
    );
    rejected(
        &with(tx(2, 3).at(10).read(p(2), 10).write(p(2), 10)),
        WrongRead,
        Internal,
    );
    rejected(
        &with(tx(2, 3).at(10).append(l(0), 10).list(l(0), &[])),
        WrongRead,
        Internal,
    );
    rejected(
        &with(tx(2, 3).at(10).read(p(0), 1).absent(p(0))),
        WrongRead,
        Internal,
    );
    accepted(&with(
        tx(2, 3)
            .at(10)
            .write(p(2), 10)
            .remove(p(0))
            .scan(&[(1, 2), (2, 10)]),
    ));
    accepted(&with(
        tx(2, 3)
            .at(10)
            .append(l(0), 10)
            .append(l(0), 11)
            .list(l(0), &[10, 11]),
    ));
}

#[test]
fn garbage() {
    let with = |reader: Tx| history([two_rows(), reader]);
    rejected(&with(tx(2, 3).at(10).read(p(0), 7)), WrongRead, Garbage);
    // Another key's.
    rejected(&with(tx(2, 3).at(10).read(p(0), 2)), WrongRead, Garbage);
}

#[test]
fn rows_out_of_order_or_too_few() {
    let with = |reader: Tx| history([two_rows(), reader]);
    rejected(
        &with(tx(2, 3).at(10).scan(&[(1, 2), (0, 1)])),
        WrongRead,
        Internal,
    );
    rejected(
        &with(tx(2, 3).at(10).scan_some(true, &[(0, 1)])),
        WrongRead,
        GSingle,
    );
    rejected(&with(tx(2, 3).at(10).scan(&[(0, 1)])), WrongRead, GSingle);
    accepted(&with(tx(2, 3).at(10).scan_some(true, &[(1, 2)])));
    accepted(&with(tx(2, 3).at(10).scan_some(false, &[(0, 1)])));
    accepted(&with(tx(2, 3).at(10).scan_some(true, &[(1, 2), (0, 1)])));
}

#[test]
fn lists_that_do_not_continue_each_other() {
    let with = |last: &[u64]| {
        history([
            tx(0, 9).at(10).append(l(0), 1),
            tx(1, 9).at(11).append(l(0), 10),
            tx(2, 9).at(11).list(l(0), &[1]),
            tx(3, 9).at(12).list(l(0), last),
        ])
    };
    rejected(&with(&[10, 1]), WrongRead, IncompatibleOrder);
    accepted(&with(&[1, 10]));
}

#[test]
fn shared_timestamps() {
    let with = |second: Tx| history([two_rows(), tx(2, 5).at(10).write(p(0), 10), second]);
    rejected_by_timestamps(&with(tx(3, 6).at(10).write(p(0), 20)), SharedTimestamp);
    rejected_by_timestamps(
        &with(tx(3, 6).at(10).read(p(0), 1).write(p(1), 20)),
        SharedTimestamp,
    );
    rejected_by_timestamps(
        &with(tx(3, 6).at(10).scan(&[(0, 1), (1, 2)]).write(p(1), 20)),
        SharedTimestamp,
    );
    rejected_by_timestamps(
        &with(tx(6, 7).at(10).write(p(1), 20)),
        TimestampAgainstRealTime,
    );
    // Nobody can tell which was first.
    accepted(&with(tx(3, 6).at(10).write(p(1), 20)));
    accepted(&with(
        tx(3, 6).at(10).scan_some(true, &[(1, 2)]).write(p(1), 20),
    ));
    accepted(&with(tx(3, 6).at(10).read(p(0), 1)));
    // Removing what is not there writes nothing.
    accepted(&with(tx(3, 6).at(10).read(p(0), 1).remove(p(7))));
}

#[test]
fn an_unknown_outcome_is_what_others_saw_of_it() {
    let with = |first, second| {
        history([
            two_rows(),
            tx(2, 3).unknown().write(p(0), 10),
            tx(4, 5).at(11).read(p(0), first),
            tx(6, 7).at(12).read(p(0), second),
        ])
    };
    for (first, second) in [(1, 1), (10, 10)] {
        assert!(blackbox::check(&with(first, second)).is_accepted());
    }
    for (first, second) in [(1, 10), (10, 1)] {
        let verdict = blackbox::check(&with(first, second));
        assert_eq!(
            verdict.violation().map(|it| it.anomaly),
            Some(RealTimeCycle),
            "{verdict}"
        );
    }
    assert!(
        exact::check(&with(1, 1))
            .to_string()
            .contains("outcome is unknown")
    );
}

#[test]
fn what_cannot_be_told_is_not_rejected() {
    let untimed = history([tx(0, 1).write(p(0), 1)]);
    assert!(
        exact::check(&untimed)
            .to_string()
            .contains("without telling")
    );
    let twice = history([tx(0, 1).at(1).write(p(0), 1), tx(2, 3).at(2).write(p(1), 1)]);
    assert!(
        blackbox::check(&twice)
            .to_string()
            .contains("written twice")
    );
}

/// What a rejection looks like.
#[test]
fn the_cycle_is_spelled_out() {
    let skewed = history([
        two_rows(),
        tx(2, 5).at(10).write(p(0), 10).write(p(1), 11),
        tx(3, 6).at(11).read(p(0), 1).read(p(1), 11),
    ]);
    let expected = "\
rejected: read skew (G-single): T1 -> T2 -> T1
  T1 is before T2 (wr): T2 saw p1 = 11 of T1
  T2 is before T1 (rw): T2 saw p0 = 1 of T0; T1, which is after T0, wrote it too
  T1 begin on thread 0, 2 to 5, committed at 10: write p0 := 10; write p1 := 11
  T2 begin on thread 0, 3 to 6, committed at 11: read p0 = 1; read p1 = 11";
    assert_eq!(blackbox::check(&skewed).to_string(), expected);
    let expected = "\
rejected: wrong read: at its timestamp, T2 should have seen 10 in `read p0 = 1`
  T2 begin on thread 0, 3 to 6, committed at 11: read p0 = 1; read p1 = 11";
    assert_eq!(exact::check(&skewed).to_string(), expected);
}
