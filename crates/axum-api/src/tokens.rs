//! The token endpoints: pages of the latest published snapshot of the tokens. They never query a store.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use ttm_kernel::Lane;
use ttm_market::{Mint, TokenCursor, TokenQuery, TokenSort, TokenStatus};

use crate::app::App;
use crate::dto::{TokenDto, TokensDto};
use crate::parameters::{CURSOR, Parameters};
use crate::problem::{Problem, quoted};

pub(crate) async fn page(State(app): State<App>, uri: Uri) -> Result<Response, Problem> {
    let given = Parameters::of(&uri, &["limit", "cursor", "lane", "status", "sort"])?;
    let sort = given.read("sort", "score, age or mint", sort)?.unwrap_or_default();
    let query = TokenQuery {
        limit: given.limit()?,
        cursor: given.read("cursor", CURSOR, |text| {
            text.parse().ok().filter(|cursor: &TokenCursor| cursor.sort() == sort)
        })?,
        lane: given.read("lane", "hot or cold", Lane::parse)?,
        status: given.read("status", "monitored, active or archived", TokenStatus::parse)?,
        sort,
    };
    Ok(app.render(|| Json(TokensDto::from(&app.state.tokens.page(&query)))).await)
}

pub(crate) async fn one(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<TokenDto>, Problem> {
    let Path(text) = path.map_err(|_| Problem::bad_request("the mint is not valid UTF-8"))?;
    let mint: Mint = text
        .parse()
        .map_err(|error| Problem::bad_request(format!("{} is not a valid mint: {error}", quoted(&text))))?;
    let row = app.state.tokens.get(&mint);
    row.map(|row| Json(TokenDto::from(&row)))
        .ok_or_else(|| Problem::not_found(format!("the token {mint} is not watched")))
}

fn sort(word: &str) -> Option<TokenSort> {
    match word {
        "score" => Some(TokenSort::Score),
        "age" => Some(TokenSort::Age),
        "mint" => Some(TokenSort::Mint),
        _ => None,
    }
}
