//! Sidecars that somebody has taken over.
use super::*;
use tokio::io::DuplexStream;

/// No story here takes longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A sidecar whose reports are ours to write, and the orders that it has not read.
fn taken_over() -> (Sidecar, DuplexStream, Receiver<Order>) {
    let (orders, queue) = channel(QUEUE);
    let (says, hears) = tokio::io::duplex(64 * 1024);
    let attendant = attendant(orders, Auditor::discarding("dev"));
    (Sidecar::attended(attendant, BufReader::new(hears), String::new()), says, queue)
}

fn attendant(orders: Sender<Order>, auditor: Auditor) -> Attendant {
    Attendant::new(Far::new(orders, Vec::new()), auditor, Arc::new(|_| {}))
}

async fn is_broken(sidecar: &mut Sidecar) -> bool {
    tokio::time::timeout(PATIENCE, sidecar.broken()).await.expect("in time")
}

#[tokio::test]
async fn what_cannot_be_understood_or_ends_unasked_is_broken() {
    for said in ["nonsense\n", "\"ended\"\n", "", "{\"event\":", "{\"ask\":{\"id\":1}}\n"] {
        let (mut sidecar, mut says, _queue) = taken_over();
        says.write_all(said.as_bytes()).await.expect("said");
        if !said.ends_with('\n') {
            drop(says);
        }
        assert!(is_broken(&mut sidecar).await, "{said:?}");
        assert!(!sidecar.end().await, "{said:?}");
    }
}

#[tokio::test]
async fn an_end_that_was_asked_for_is_in_order() {
    let (mut sidecar, mut says, mut queue) = taken_over();
    let broken = sidecar.broken();
    let obeys = async {
        assert!(matches!(queue.recv().await, Some(Order::End)));
        says.write_all(b"\"ended\"\n").await.expect("said");
    };
    let (ended, ()) = tokio::join!(sidecar.end(), obeys);
    assert!(ended);
    assert!(!broken.await);
}

/// It asks without end and reads no answer: neither memory nor threads are filled, and it is heard all the same.
#[tokio::test]
async fn a_flood_of_questions_fills_nothing_and_stops_nobody() {
    let (mut sidecar, mut says, queue) = taken_over();
    let flood = async {
        for id in 0..20_000 {
            let reference = TokenRef::Env { name: "HOME".into() };
            says.write_all(&line(&Report::Ask { id, reference }).expect("a line")).await.expect("said");
        }
        says.write_all(b"nonsense\n").await.expect("said");
    };
    tokio::time::timeout(PATIENCE, flood).await.expect("every question is taken in");
    assert!(is_broken(&mut sidecar).await);
    assert!(queue.len() <= QUEUE);
    let busy = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    assert!(busy <= MOST_QUESTIONS + 4, "{busy} tasks wait");
}

/// The clock never waits for a sidecar that does not listen, and gives it up in the end.
#[tokio::test]
async fn a_sidecar_that_takes_no_order_is_given_up_and_not_waited_for() {
    let (orders, mut queue) = channel(1);
    orders.try_send(Order::End).expect("room for one");
    let auditor = Auditor::discarding("dev");
    let mut attendant = attendant(orders, auditor.clone());
    let mut watch = Watch::new(&[]);
    assert!((0..100).all(|_| attendant.look(&mut watch)), "nothing to say is no deafness");
    auditor.give_up("the disk is full");
    assert!((1..DEAF).all(|_| attendant.look(&mut watch)));
    assert!(!attendant.look(&mut watch));
    // One that listens again is told.
    assert!(matches!(queue.recv().await, Some(Order::End)));
    assert!(attendant.look(&mut watch));
    assert!(matches!(queue.recv().await, Some(Order::Unrecorded { .. })));
}
