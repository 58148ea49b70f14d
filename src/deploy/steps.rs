//! Progress of a deploy: one line a step on stderr, and how long each took for the receipt.

use crate::context::Context;
use std::time::Instant;

/// The steps so far.
#[derive(Debug)]
pub struct Steps {
    ctx: Context,
    start: Instant,
    done: Vec<(String, u64)>,
    current: Option<(String, Instant)>,
}

impl Steps {
    /// Starts the clock.
    pub fn new(ctx: &Context) -> Self {
        Self {
            ctx: ctx.clone(),
            start: Instant::now(),
            done: Vec::new(),
            current: None,
        }
    }

    /// A step begins; the one before it has ended.
    pub fn begin(&mut self, title: &str) {
        self.end();
        self.say(title);
        self.current = Some((title.to_owned(), Instant::now()));
    }

    /// Something worth a line inside a step.
    pub fn say(&self, text: &str) {
        let elapsed = self.start.elapsed();
        self.ctx.note(&format!(
            "{:>5}.{} s  {text}",
            elapsed.as_secs(),
            elapsed.subsec_millis() / 100
        ));
    }

    /// Name and duration of every step so far, ms.
    pub fn taken(&mut self) -> Vec<(String, u64)> {
        self.end();
        self.done.clone()
    }

    fn end(&mut self) {
        if let Some((title, since)) = self.current.take() {
            let ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.done.push((title, ms));
        }
    }
}
