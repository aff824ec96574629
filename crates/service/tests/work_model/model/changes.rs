//! What the model expects of an edit of the set, of a reset, and of a machine that replaces another one.

use std::collections::BTreeSet;

use ttm_kernel::Lane;

use super::{
    Asked, At, Boot, Effect, InFlight, Machine, MarketEvent, Mint, Model, RequestId, TOKENS, TestCaseError,
    Token, TokenStatus, WorkSettings, keys_of, lane_of, prop_assert, prop_assert_eq, world,
};

impl Model {
    pub(super) fn edit(&mut self, bits: u32) -> Result<(), TestCaseError> {
        let stored: Vec<Token> =
            (0..TOKENS).filter(|number| bits & (1 << number) != 0).map(world::token).collect();
        let is_new = |token: &&Token| {
            self.tokens.get(&token.mint).is_none_or(|known| known.status == TokenStatus::Archived)
        };
        let added: Vec<Mint> = stored.iter().filter(is_new).map(|token| token.mint).collect();
        let listed: BTreeSet<Mint> = stored.iter().map(|token| token.mint).collect();
        let known: Vec<Mint> = self.tokens.keys().copied().collect();
        let removed: Vec<Mint> = known.into_iter().filter(|mint| !listed.contains(mint)).collect();
        self.machine.handle_set(stored, self.now());
        for mint in &removed {
            self.doubts.remove(mint);
            if !matches!(self.at.get(mint), Some(At::InFlight(_))) {
                self.leave(mint);
            }
        }
        self.effects()?;
        for mint in added {
            let lane = self.lane(&mint).expect("it was shown just now");
            let at = At::Line { lane, due: true };
            for request in self.requests.values_mut() {
                request.taken_from.entry(mint).and_modify(|from| *from = at);
            }
            self.at.entry(mint).or_insert(at);
        }
        prop_assert!(removed.iter().all(|mint| !self.tokens.contains_key(mint)), "a removed token is shown");
        prop_assert!(listed.iter().all(|mint| self.tokens.contains_key(mint)), "an added one is not");
        Ok(())
    }

    pub(super) fn reset(&mut self, lane: Lane) -> Result<(), TestCaseError> {
        self.incarnations[lane] = self.incarnations[lane].next();
        self.machine.handle_upstream(self.upstream);
        self.machine.reset(lane, self.incarnations[lane], self.now());
        self.effects()?;
        let in_flight: Vec<(RequestId, Vec<Asked<Mint>>)> =
            self.requests.iter().map(|(id, request)| (*id, keys_of(&request.request.ask))).collect();
        for (id, asked) in in_flight {
            for asked in asked.into_iter().filter(|asked| lane_of(asked) == lane) {
                let request = self.requests.get_mut(&id).expect("it is in flight");
                if request.late.insert(asked.key) {
                    self.put(asked.key, true);
                }
            }
        }
        Ok(())
    }

    /// The machine is lost, and another one begins where it was.
    pub(super) fn replace(&mut self) -> Result<(), TestCaseError> {
        if self.is_stopping {
            return Ok(());
        }
        self.machine = Machine::boot(self.settings.clone(), self.to_boot(), self.now());
        let requests = std::mem::take(&mut self.requests);
        for InFlight { late, taken_from, .. } in requests.into_values() {
            for (mint, at) in taken_from.into_iter().filter(|(mint, _)| !late.contains(mint)) {
                match self.lane(&mint) {
                    Some(_) => self.at.insert(mint, at),
                    None => self.at.remove(&mint),
                };
            }
        }
        (self.turn_is_wanted, self.is_silent, self.spoke) = (false, false, None);
        (self.done, self.unsure, self.left, self.failed_here) = Default::default();
        self.doubts.clear();
        self.effects()
    }

    /// Tokens that wait in line follow their lane; all others stay where they are. Nothing else happens to any of them.
    pub(super) fn reconfigure(&mut self, settings: WorkSettings) -> Result<(), TestCaseError> {
        let lanes = |model: &Self| -> Vec<(Mint, Option<Lane>)> {
            model.tokens.keys().map(|mint| (*mint, model.lane(mint))).collect()
        };
        let before = lanes(self);
        self.machine.handle_upstream(self.upstream);
        self.machine.reconfigure(settings.clone(), self.now());
        self.settings = settings;
        let after = lanes(self);
        let changed = before.into_iter().zip(after).filter(|(before, after)| before != after);
        let changed: Vec<(Mint, Option<Lane>)> = changed.map(|(_, after)| after).collect();
        for (mint, lane) in &changed {
            let lane = lane.expect("no setting archives a token");
            let at = match self.at.get(mint) {
                Some(At::Line { .. }) => At::Line { lane, due: false },
                // It may have waited in line.
                Some(At::Suspected) => At::Suspected,
                _ => continue,
            };
            self.leave(mint);
            self.at.insert(*mint, at);
        }
        let mut told = Vec::new();
        while let Some(effect) = self.machine.poll_effect() {
            match effect {
                Effect::Market(events) => told.extend(events),
                other => self.effect(other)?,
            }
        }
        let told = told.into_iter().map(|event| match event {
            MarketEvent::LaneChanged { mint, to, .. } => (mint, Some(to)),
            other => panic!("{other}"),
        });
        prop_assert_eq!(told.collect::<Vec<_>>(), changed);
        Ok(())
    }

    /// What another machine begins with.
    pub(super) fn to_boot(&self) -> Boot {
        Boot {
            tokens: self.tokens.values().cloned().collect(),
            standings: self.standings.clone(),
            carried: Some(self.machine.carried()),
        }
    }

    /// A token leaves the place where it waits.
    pub(super) fn leave(&mut self, mint: &Mint) {
        match self.at.remove(mint) {
            Some(At::Line { lane, .. }) => self.left[lane] += 1,
            // It may be in either line, as far as the model can tell.
            Some(At::Suspected) => Lane::ALL.into_iter().for_each(|lane| self.left[lane] += 1),
            _ => {}
        }
    }
}
