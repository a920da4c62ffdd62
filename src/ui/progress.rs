//! How far work on many bytes is: a bar on a terminal, and elsewhere a line now and then.

use std::{
    fmt::Write,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};

use crate::{event::Progress, sys::room::Size};

/// How far one attempt is.
#[derive(Debug, Default)]
pub struct Reached {
    total: Option<u64>,
    /// Where this attempt began, and when: what was there before says nothing of its rate.
    start: OnceLock<(u64, Instant)>,
    done: AtomicU64,
    written: AtomicU64,
}

impl Reached {
    fn of(total: Option<u64>) -> Arc<Self> {
        Arc::new(Reached {
            total,
            ..Reached::default()
        })
    }

    fn at(&self, bytes: u64) {
        self.start.get_or_init(|| (bytes, Instant::now()));
        self.done.store(bytes, Ordering::Relaxed);
    }

    /// Bytes in a second of this attempt.
    fn rate(&self) -> u64 {
        let Some((start, since)) = self.start.get() else {
            return 0;
        };
        let done = self.done.load(Ordering::Relaxed).saturating_sub(*start);
        (done as f64 / since.elapsed().as_secs_f64().max(0.001)) as u64
    }

    /// `12 MiB of 500 MiB, 30 MiB written, 1.5 MiB/s, 5 min left`
    fn words(&self) -> String {
        let (done, rate) = (self.done.load(Ordering::Relaxed), self.rate());
        let mut text = Size(done).to_string();
        if let Some(total) = self.total {
            let _ = write!(text, " of {}", Size(total));
        }
        match self.written.load(Ordering::Relaxed) {
            0 => {}
            written => {
                let _ = write!(text, ", {} written", Size(written));
            }
        }
        let _ = write!(text, ", {}/s", Size(rate));
        if let Some(total) = self.total
            && let Some(seconds) = total.saturating_sub(done).checked_div(rate)
        {
            let _ = match seconds {
                0..60 => write!(text, ", {seconds} s left"),
                _ => write!(text, ", {} min left", seconds.div_ceil(60)),
            };
        }
        text
    }
}

/// A bar among `bars`.
pub struct Bar {
    bar: ProgressBar,
    reached: Arc<Reached>,
}

impl Bar {
    pub fn show(bars: &MultiProgress, total: Option<u64>) -> Self {
        let reached = Reached::of(total);
        let (bar, shape) = match total {
            Some(total) => (ProgressBar::new(total), "    {bar:30} {words}"),
            None => (ProgressBar::new_spinner(), "    {spinner} {words}"),
        };
        let words = {
            let reached = reached.clone();
            move |_: &ProgressState, out: &mut dyn Write| {
                let _ = out.write_str(&reached.words());
            }
        };
        let style = ProgressStyle::with_template(shape).expect("the template is a constant");
        bar.set_style(style.with_key("words", words));
        let bar = bars.add(bar);
        bar.enable_steady_tick(Duration::from_millis(200));
        Bar { bar, reached }
    }
}

impl Progress for Bar {
    fn at(&self, bytes: u64) {
        self.reached.at(bytes);
        self.bar.set_position(bytes);
    }

    fn written(&self, bytes: u64) {
        self.reached.written.store(bytes, Ordering::Relaxed);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A line every so often, for logs.
pub struct Lines {
    reached: Arc<Reached>,
    /// Its end is the end of the thread that tells.
    _running: Sender<()>,
}

impl Lines {
    /// From now on `tell` gets a line each time that `every` has gone by.
    pub fn start(
        total: Option<u64>,
        every: Duration,
        tell: impl Fn(&str) + Send + 'static,
    ) -> Self {
        let reached = Reached::of(total);
        let (running, ended) = mpsc::channel::<()>();
        let seen = reached.clone();
        thread::spawn(move || {
            while ended.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                tell(&seen.words());
            }
        });
        Lines {
            reached,
            _running: running,
        }
    }
}

impl Progress for Lines {
    fn at(&self, bytes: u64) {
        self.reached.at(bytes);
    }

    fn written(&self, bytes: u64) {
        self.reached.written.store(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_this_attempt() {
        let reached = Reached::of(Some(100 << 20));
        assert_eq!(reached.words(), "0 bytes of 100 MiB, 0 bytes/s");
        // 80 MiB were there before.
        let since = Instant::now() - Duration::from_secs(10);
        reached.start.set((80 << 20, since)).unwrap();
        reached.at(90 << 20);
        reached.written.store(300 << 20, Ordering::Relaxed);
        let words = reached.words();
        let rate = reached.rate();
        assert!((900 << 10..=1 << 20).contains(&rate), "{rate}");
        assert!(
            words.starts_with("90 MiB of 100 MiB, 300 MiB written, 1"),
            "{words}"
        );
        assert!(words.ends_with("/s, 10 s left"), "{words}");
    }

    #[test]
    fn lines_come_as_long_as_the_work_goes_on() {
        let (sender, lines) = mpsc::channel();
        let tell = move |text: &str| drop(sender.send(text.to_owned()));
        let progress = Lines::start(None, Duration::from_millis(1), tell);
        progress.at(5 << 20);
        let line = lines.iter().find(|line| !line.starts_with('0')).unwrap();
        assert!(line.starts_with("5.0 MiB, "), "{line}");
        drop(progress);
        // The end of the thread, and with it of the channel.
        let _ = lines.iter().last();
    }
}
