//! Two attempts at one request: the second starts when the first is slow, the first good answer
//! counts.
//!
//! For requests that do no harm when they arrive twice, and only for them. Must not know what an
//! answer means beyond [`CallError`].

use crate::call_error::CallError;
use std::pin::pin;
use std::time::Duration;

/// Which attempt brought the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Winner {
    First,
    Second,
}

/// Runs `first`; when it has no answer `after` this long, also what `second` makes, if anything.
///
/// The first success ends both. So does an error that no waiting changes (a refusal is an answer);
/// after any other error the remaining attempt decides.
pub(crate) async fn first_good<T, First, Second>(
    first: First,
    after: Duration,
    second: impl FnOnce() -> Option<Second>,
) -> (Result<T, CallError>, Winner)
where
    First: Future<Output = Result<T, CallError>>,
    Second: Future<Output = Result<T, CallError>>,
{
    let mut first = pin!(first);
    tokio::select! {
        biased;
        answer = &mut first => return (answer, Winner::First),
        () = tokio::time::sleep(after) => {}
    }
    let Some(second) = second() else {
        return (first.await, Winner::First);
    };
    let mut second = pin!(second);
    tokio::select! {
        biased;
        answer = &mut first => match answer {
            Err(error) if error.may_pass() => (second.await, Winner::Second),
            answer => (answer, Winner::First),
        },
        answer = &mut second => match answer {
            Err(error) if error.may_pass() => (first.await, Winner::First),
            answer => (answer, Winner::Second),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};

    type Answer = Result<u8, CallError>;

    fn run(
        first: impl Future<Output = Answer>,
        second: impl Future<Output = Answer>,
    ) -> (Answer, Winner) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(first_good(first, Duration::from_millis(1), || Some(second)))
    }

    fn lost() -> Answer {
        Err(CallError::Network("reset".into()))
    }

    async fn later(answer: Answer) -> Answer {
        tokio::time::sleep(Duration::from_millis(20)).await;
        answer
    }

    #[test]
    fn a_quick_answer_needs_no_second_attempt() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let second = || -> Option<std::future::Ready<Answer>> { panic!("a second attempt") };
        let quick = first_good(ready(Ok(1)), Duration::from_secs(5), second);
        assert_eq!(runtime.block_on(quick), (Ok(1), Winner::First));
    }

    #[test]
    fn a_hung_first_attempt_is_answered_by_the_second() {
        assert_eq!(run(pending(), ready(Ok(2))), (Ok(2), Winner::Second));
    }

    #[test]
    fn the_first_attempt_goes_on_beside_the_second() {
        assert_eq!(run(later(Ok(1)), pending()), (Ok(1), Winner::First));
    }

    #[test]
    fn one_that_breaks_leaves_the_answer_to_the_other() {
        assert_eq!(run(later(Ok(1)), ready(lost())), (Ok(1), Winner::First));
        assert_eq!(run(later(lost()), pending_then(3)), (Ok(3), Winner::Second));
    }

    async fn pending_then(value: u8) -> Answer {
        tokio::time::sleep(Duration::from_millis(60)).await;
        Ok(value)
    }

    #[test]
    fn a_refusal_is_an_answer() {
        let refused = || Err(CallError::Denied("not stoppable".into()));
        assert_eq!(
            run(pending(), ready(refused())),
            (refused(), Winner::Second)
        );
    }
}
