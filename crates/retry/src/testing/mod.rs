//! For property-based tests here and elsewhere: a plain reference [`BudgetModel`] of the budget, and strategies for
//! policies, budgets and what happens to them. Nothing of it runs in production.

mod model;
mod strategy;

pub use model::BudgetModel;
pub use strategy::{
    BudgetStep, any_budget_settings, any_budget_step, any_class, any_duration, any_jitter, any_policy,
};
