-- A recovery that an operator's order took over from.
ALTER TABLE recovery DROP CONSTRAINT recovery_outcome_check,
    ADD CONSTRAINT recovery_outcome_check
        CHECK (outcome IN ('recovered', 'failed', 'escalated', 'withdrawn', 'replaced', 'interrupted'));
