//! From a request's bytes to an answer's bytes, with the faults on the way.

use std::future::pending;

use http_body_util::{BodyExt, Limited};
use hyper::{HeaderMap, Method, Request as HttpRequest, Response, StatusCode, body::Incoming};
use jiff::Timestamp;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{
    answer::Answer,
    auth::{Family, authenticate, authorize},
    call::Call,
    failure::Failure,
    operations,
    query::Query,
    reply::{Reply, ResponseBody, Sending},
};
use crate::sandbox::{
    faults::Fault,
    world::{Exchange, Quota, Request, Verdict, World, state::State},
};

/// The largest body that a request may have, in bytes: a batch of 3,500 records with long comments fits.
const REQUEST_BODY_MAX: usize = 8 * 1024 * 1024;

/// Where the API begins.
const BASE: &str = "/client/v4";

/// The connection closes without an answer, as a fault asked for.
#[derive(Debug, thiserror::Error)]
#[error("the connection is closed without an answer")]
pub(super) struct Dropped;

/// A request that was read.
struct Received {
    method: Method,
    /// Behind the base.
    path: String,
    query: String,
    headers: HeaderMap,
    body: Vec<u8>,
    at: Instant,
}

/// Answers one request, or closes its connection.
pub(super) async fn serve(world: World, request: HttpRequest<Incoming>) -> Result<Response<ResponseBody>, Dropped> {
    let at = Instant::now();
    let (head, body) = request.into_parts();
    let Some(path) = head.uri.path().strip_prefix(BASE) else {
        return refuse(&world, Failure::no_route(StatusCode::NOT_FOUND, head.uri.path()));
    };
    // A client that goes away while it sends is answered like one that sends too much: it does not read either.
    let Ok(body) = Limited::new(body, REQUEST_BODY_MAX).collect().await else {
        return refuse(&world, Failure::new(StatusCode::PAYLOAD_TOO_LARGE, 1004, "Request body is too large"));
    };
    let received = Received {
        method: head.method,
        path: path.to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body: body.to_bytes().to_vec(),
        at,
    };
    answer(&world, &received).await.map(Reply::into_response)
}

/// Carries the request out, as far as a fault lets it happen.
async fn answer(world: &World, received: &Received) -> Result<Reply, Dropped> {
    match world.faults().take(&received.method, &received.path) {
        None => Ok(noted(world, received, carry_out(world, received, Page::Whole))),
        Some(Fault::TooManyRequests(retry_after)) => {
            // The window ends when the pause does: Cloudflare never says that more time is needed than it asks for.
            let untouched = world.limiter().untouched();
            let quota = Quota { left: 0, reset: retry_after.unwrap_or(untouched.reset), ..untouched };
            Ok(noted(world, received, Reply::throttled(quota, retry_after)))
        }
        Some(Fault::ServerError(status)) => {
            let failure = Failure::new(server_error(status), 10_001, "Service is unavailable, try again later");
            Ok(noted(world, received, Reply::new(&Err(failure), world.limiter().untouched())))
        }
        Some(Fault::Html(status)) => Ok(noted(world, received, Reply::html(server_error(status), world.limiter().untouched()))),
        Some(Fault::Hang) => {
            note(world, received, None);
            pending().await
        }
        Some(Fault::DropBefore) => {
            note(world, received, None);
            Err(Dropped)
        }
        Some(Fault::AnswerLost) => {
            let reply = carry_out(world, received, Page::Whole);
            tap(world, received, &reply);
            note(world, received, None);
            Err(Dropped)
        }
        Some(Fault::Slow(delay)) => {
            let reply = noted(world, received, carry_out(world, received, Page::Whole));
            sleep(delay).await;
            Ok(reply)
        }
        Some(Fault::TruncatedPage(count)) => Ok(noted(world, received, carry_out(world, received, Page::Truncated(count)))),
        Some(Fault::EmptyPage) => Ok(noted(world, received, carry_out(world, received, Page::Empty))),
        Some(Fault::MalformedJson) => {
            let reply = carry_out(world, received, Page::Whole);
            let body = reply.body[..reply.body.len() / 2].to_vec();
            Ok(noted(world, received, reply.damaged(body, Sending::Whole)))
        }
        Some(Fault::TruncatedBody) => {
            let reply = carry_out(world, received, Page::Whole);
            let body = reply.body.clone();
            Ok(noted(world, received, reply.damaged(body, Sending::Half)))
        }
        Some(Fault::WrongShape) => {
            let body = json!({ "success": true, "errors": [], "messages": [], "result": { "unexpected": true } });
            let reply = carry_out(world, received, Page::Whole);
            Ok(noted(world, received, reply.damaged(body.to_string().into_bytes(), Sending::Whole)))
        }
        Some(Fault::EndlessBody) => {
            let reply = carry_out(world, received, Page::Whole);
            let body = reply.body.clone();
            Ok(noted(world, received, reply.damaged(body, Sending::Endless)))
        }
        Some(Fault::Unheeded) => {
            let reply = Reply::new(&Ok(Answer::one(json!({}))), world.limiter().untouched());
            let body = reply.body.clone();
            Ok(noted(world, received, reply.damaged(body, Sending::Whole)))
        }
    }
}

/// How much of a list is told.
#[derive(Debug, Clone, Copy)]
enum Page {
    Whole,
    /// At most so many items, while the count of all stays true.
    Truncated(usize),
    /// Nothing, and nothing is said to be there.
    Empty,
}

/// Authenticates, counts, finds the operation and runs it.
fn carry_out(world: &World, received: &Received, page: Page) -> Reply {
    let now = Timestamp::now();
    let family = Family::of(&received.path);
    world.change(|state| {
        let token = match authenticate(state, &received.headers, family, now) {
            Ok(token) => token,
            Err(failure) => return Reply::new(&Err(failure), world.limiter().untouched()),
        };
        let quota = world.limiter().admit(token.budget(), received.at);
        match quota.verdict {
            Verdict::Blocked => return Reply::throttled(quota, Some(quota.reset)),
            Verdict::Admitted => {}
        }
        let call =
            Call { params: Default::default(), query: Query::parse(&received.query), body: received.body.clone(), token, now };
        let outcome = operate(state, received, family, call).map(|answer| cut(answer, page));
        Reply::new(&outcome, quota)
    })
}

fn operate(state: &mut State, received: &Received, family: Family, call: Call) -> Result<Answer, Failure> {
    let (operation, params) = operations::find(&received.method, &received.path)?;
    authorize(state, &call.token, family, operation.needs, &params, &received.path)?;
    (operation.handler)(state, &Call { params, ..call })
}

/// Tells less of a list than there is.
fn cut(mut answer: Answer, page: Page) -> Answer {
    let (Some(items), Some(info)) = (answer.result.as_array_mut(), &mut answer.info) else { return answer };
    match page {
        Page::Whole => {}
        Page::Truncated(count) => {
            items.truncate(count);
            info.count = items.len();
        }
        Page::Empty => {
            items.clear();
            (info.count, info.total_count, info.total_pages) = (0, 0, info.total_pages.map(|_| 0));
        }
    }
    answer
}

/// An answer to what is no call of the API; it is not counted.
fn refuse(world: &World, failure: Failure) -> Result<Response<ResponseBody>, Dropped> {
    Ok(Reply::new(&Err(failure), world.limiter().untouched()).into_response())
}

/// Shows an exchange to the tap and notes it in the log.
fn noted(world: &World, received: &Received, reply: Reply) -> Reply {
    tap(world, received, &reply);
    note(world, received, Some(reply.status.as_u16()));
    reply
}

fn note(world: &World, received: &Received, status: Option<u16>) {
    world.log().push(Request {
        method: received.method.clone(),
        path: received.path.clone(),
        query: received.query.clone(),
        status,
        at: received.at,
    });
}

fn tap(world: &World, received: &Received, reply: &Reply) {
    let Some(tap) = world.log().tap.clone() else { return };
    tap(&Exchange {
        method: received.method.clone(),
        path: received.path.clone(),
        query: Query::parse(&received.query).pairs().to_vec(),
        request_body: received.body.clone(),
        status: reply.status.as_u16(),
        response_body: reply.body.clone(),
        damaged: reply.damaged,
    });
}

/// The status that a switch names; one that is no status at all is taken as 500.
fn server_error(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
