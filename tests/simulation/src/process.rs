//! A worker process: it can be killed and paused at any await, and its clock is wrong by up to two seconds.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use chela_core::clock::{Clock, Millis};
use chela_core::session_key::SessionKey;
use tokio::time::{Instant, Sleep, sleep};

use crate::fault::{Fault, Place};
use crate::sim::Sim;

/// Machines of one provider are closer than this.
const SKEW_MS: i64 = 2_000;

/// One process.
pub(crate) struct Process {
    pub(crate) sim: Arc<Sim>,
    pub(crate) name: String,
    skew_ms: i64,
    state: Mutex<State>,
    /// The message each session is working on, so that a fault can be counted for it.
    handling: Mutex<BTreeMap<SessionKey, u32>>,
}

#[derive(Default)]
struct State {
    dead: bool,
    paused_until: Option<Instant>,
}

impl Process {
    pub(crate) fn new(sim: Arc<Sim>, name: String) -> Self {
        let skew_ms = sim.rng().i64(-SKEW_MS..=SKEW_MS);
        Self { sim, name, skew_ms, state: Mutex::default(), handling: Mutex::default() }
    }

    pub(crate) fn handles(&self, session: &SessionKey, message: u32) {
        self.handling.lock().unwrap().insert(session.clone(), message);
    }

    pub(crate) fn ended(&self, session: &SessionKey) {
        self.handling.lock().unwrap().remove(session);
    }

    pub(crate) fn message_of(&self, session: &SessionKey) -> Option<u32> {
        self.handling.lock().unwrap().get(session).copied()
    }

    pub(crate) fn draw(&self, place: Place, message: Option<u32>) -> Option<Fault> {
        self.sim.draw(place, &self.name, message)
    }

    /// The fault met every turn the process was working on.
    pub(crate) fn struck_by(&self, fault: Fault) {
        let handling: Vec<u32> = self.handling.lock().unwrap().values().copied().collect();
        match handling.as_slice() {
            [] => self.sim.strikes(fault, &self.name, None),
            messages => messages.iter().for_each(|message| self.sim.strikes(fault, &self.name, Some(*message))),
        }
    }

    /// Kills the process: nothing of it runs any more.
    pub(crate) async fn die<T>(&self) -> T {
        self.state.lock().unwrap().dead = true;
        tokio::task::yield_now().await;
        std::future::pending().await
    }

    /// Stops the whole process for a while; its timers and the world go on.
    pub(crate) async fn pause(&self) {
        self.stop_for(self.sim.pause());
        tokio::task::yield_now().await;
    }

    fn stop_for(&self, pause: Duration) {
        self.state.lock().unwrap().paused_until = Some(Instant::now() + pause);
    }

    fn dead(&self) -> bool {
        self.state.lock().unwrap().dead
    }

    fn paused_until(&self) -> Option<Instant> {
        self.state.lock().unwrap().paused_until.filter(|until| *until > Instant::now())
    }

    /// A request: it takes effect after `there` and is answered after `back`, whatever becomes of the process.
    pub(crate) async fn request<T: Send + 'static>(
        &self,
        there: Duration,
        back: Duration,
        effect: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        let request = tokio::spawn(async move {
            sleep(there).await;
            let answer = effect();
            sleep(back).await;
            answer
        });
        request.await.expect("simulated parts do not panic")
    }
}

impl Clock for Process {
    fn now(&self) -> Millis {
        self.sim.now(self.skew_ms)
    }

    fn unique(&self) -> String {
        format!("{}n{}", self.name, self.sim.unique())
    }
}

/// How the life of an invocation ends.
pub(crate) enum End<T> {
    /// It came to its end.
    Done(T),
    /// The process died.
    Dead,
}

/// An invocation that runs as long as its process does.
pub(crate) struct Mortal<T> {
    process: Arc<Process>,
    work: Pin<Box<dyn Future<Output = T> + Send>>,
    alarm: Pin<Box<Sleep>>,
    /// Something that happens to the process from outside, soonest last.
    ahead: Vec<(Instant, Fault)>,
}

impl<T> Mortal<T> {
    pub(crate) fn new(
        process: Arc<Process>,
        work: impl Future<Output = T> + Send + 'static,
        mut ahead: Vec<(Instant, Fault)>,
    ) -> Self {
        ahead.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        Self { process, work: Box::pin(work), alarm: Box::pin(sleep(Duration::ZERO)), ahead }
    }

    /// What is due; `true` if the process did not survive it.
    fn meets_its_fate(&mut self) -> bool {
        while let Some((_, fault)) = self.ahead.pop_if(|(at, _)| *at <= Instant::now()) {
            if self.process.sim.is_calm() && fault != Fault::TimedOut {
                continue;
            }
            self.process.struck_by(fault);
            if fault == Fault::Stopped {
                let pause = self.process.sim.pause();
                self.process.stop_for(pause);
            } else {
                return true;
            }
        }
        self.process.dead()
    }
}

impl<T> Future for Mortal<T> {
    type Output = End<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<End<T>> {
        let this = self.get_mut();
        loop {
            if this.meets_its_fate() {
                return Poll::Ready(End::Dead);
            }
            if this.process.paused_until().is_none()
                && let Poll::Ready(answer) = this.work.as_mut().poll(context)
            {
                return Poll::Ready(End::Done(answer));
            }
            if this.process.dead() {
                return Poll::Ready(End::Dead);
            }
            let next = this.ahead.last().map(|(at, _)| *at).into_iter().chain(this.process.paused_until()).min();
            let Some(next) = next else { return Poll::Pending };
            this.alarm.as_mut().reset(next);
            if this.alarm.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
    }
}
