//! The jobs: check a page, check a link target.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, PoisonError};

use mq::prelude::*;
use mq::{EnqueueError, JobSet};
use tokio::sync::OnceCell;

use crate::html::{self, Target};
use crate::http;
use crate::results::{Checked, Results};

pub(crate) const PAGES: &str = "linkcheck-pages";
pub(crate) const LINKS: &str = "linkcheck-links";
/// Pages whose anchors a worker remembers.
const CACHE_MAX: usize = 10_000;

/// Fetches a page and enqueues what it links to.
#[derive(Debug, Serialize, Deserialize, Job)]
#[job(name = "linkcheck.page", queue = "linkcheck-pages", state = App, timeout = "30s")]
#[job(max_attempts = 8, backoff(exponential, base = "200ms", max = "2s"))]
pub(crate) struct CheckPage {
    pub(crate) run: String,
    pub(crate) url: String,
    /// The first page that was seen to link there.
    pub(crate) from: String,
}

/// Looks whether a link target exists: a file, or an anchor in a page.
#[derive(Debug, Serialize, Deserialize, Job)]
#[job(name = "linkcheck.link", queue = "linkcheck-links", state = App, timeout = "30s")]
#[job(max_attempts = 8, backoff(exponential, base = "200ms", max = "2s"))]
pub(crate) struct CheckLink {
    pub(crate) run: String,
    pub(crate) url: String,
    pub(crate) anchor: Option<String>,
    pub(crate) from: String,
}

/// Why a check failed. Dead letters show the text, with the page to mend first.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    #[error("{from} links to {url}: not found")]
    NotFound { from: String, url: String },
    #[error("{from} links to {url}#{anchor}: the page has no such anchor")]
    NoAnchor { from: String, url: String, anchor: String },
    #[error("{url} answered {status}")]
    Status { url: String, status: u16 },
    #[error("the request failed")]
    Http(#[source] std::io::Error),
    #[error("the result was not written")]
    Results(#[source] std::io::Error),
    #[error("the links of the page were not enqueued")]
    Enqueue(#[source] EnqueueError),
}

/// The hashes of the anchors of a page.
type Anchors = Arc<HashSet<u64>>;

/// What the handlers of a worker process share.
pub(crate) struct App {
    /// Jobs of an earlier run that was broken off are not ours to do.
    pub(crate) run: String,
    pub(crate) site: http::Site,
    pub(crate) results: Results,
    /// Jobs that this process has enqueued: most links of a page are on all others, too. Only
    /// saves requests; that nothing is enqueued twice is the idempotency keys' work.
    pub(crate) enqueued: Mutex<HashSet<u64>>,
    /// By the paths of the pages.
    pub(crate) anchors: Mutex<HashMap<String, Arc<OnceCell<Anchors>>>>,
}

impl Handler<App> for CheckPage {
    type Error = CheckError;

    async fn run(self, cx: Context<App>) -> Result<(), CheckError> {
        let app = cx.state();
        if self.run != app.run {
            return Ok(());
        }
        let answer = app.site.get(&self.url).await.map_err(CheckError::Http)?;
        let write = |checked, links| {
            let written = app.results.write(checked, &self.url, links, cx.attempt());
            written.map_err(CheckError::Results)
        };
        match answer.status {
            200 => {}
            403 => return write(Checked::PageSkipped, 0),
            404 => return Err(cx.discard(CheckError::NotFound { from: self.from, url: self.url })),
            status => return Err(CheckError::Status { url: self.url, status }),
        }
        let page = html::scan(&String::from_utf8_lossy(&answer.body));
        let anchors = anchors(&page);
        // Fails if it is known already, and then it is the same.
        let _ = app.place(&self.url).set(Arc::clone(&anchors));
        let targets: HashSet<Target> =
            page.links.iter().filter_map(|link| html::resolve(&self.url, link)).collect();
        let mut follow_ups = FollowUps::new(app, &self.url);
        for target in targets {
            follow_ups.add(target, &anchors);
        }
        follow_ups.send(cx.client()).await.map_err(CheckError::Enqueue)?;
        // Last, so that what is written is true: everything that the page links to is stored.
        write(Checked::Page, page.links.len())
    }
}

impl Handler<App> for CheckLink {
    type Error = CheckError;

    async fn run(self, cx: Context<App>) -> Result<(), CheckError> {
        let app = cx.state();
        if self.run != app.run {
            return Ok(());
        }
        let url = full_url(&self.url, self.anchor.as_deref());
        match self.anchor {
            None => {
                let answer = app.site.head(&self.url).await.map_err(CheckError::Http)?;
                match answer.status {
                    200 => {}
                    404 => {
                        let error = CheckError::NotFound { from: self.from, url: self.url };
                        return Err(cx.discard(error));
                    }
                    status => return Err(CheckError::Status { url: self.url, status }),
                }
            }
            Some(anchor) => {
                let anchors = app.anchors_of(&self.url).await?;
                if anchors.is_some_and(|anchors| !has(&anchors, &anchor)) {
                    let error = CheckError::NoAnchor { from: self.from, url: self.url, anchor };
                    return Err(cx.discard(error));
                }
            }
        }
        app.results.write(Checked::Link, &url, 0, cx.attempt()).map_err(CheckError::Results)
    }
}

impl App {
    /// Where the anchors of a page are, or will be.
    fn place(&self, path: &str) -> Arc<OnceCell<Anchors>> {
        let mut cache = self.anchors.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CACHE_MAX {
            cache.clear();
        }
        Arc::clone(cache.entry(path.to_owned()).or_default())
    }

    /// None, if there is no such page: its own job says so. Links to one page come in a row and
    /// are checked at the same time: the first one fetches it, the others wait.
    async fn anchors_of(&self, path: &str) -> Result<Option<Anchors>, CheckError> {
        let place = self.place(path);
        let anchors = place.get_or_try_init(|| async {
            let answer = self.site.get(path).await.map_err(CheckError::Http)?;
            match answer.status {
                200 => Ok(anchors(&html::scan(&String::from_utf8_lossy(&answer.body)))),
                status => Err(CheckError::Status { url: path.to_owned(), status }),
            }
        });
        match anchors.await {
            Ok(anchors) => Ok(Some(Arc::clone(anchors))),
            Err(CheckError::Status { status: 403 | 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn anchors(page: &html::Page) -> Anchors {
    Arc::new(page.anchors.iter().map(|anchor| hash(anchor)).collect())
}

/// The jobs that a page brings about.
struct FollowUps<'a> {
    app: &'a App,
    from: &'a str,
    set: JobSet,
    hashes: HashSet<u64>,
}

impl<'a> FollowUps<'a> {
    fn new(app: &'a App, from: &'a str) -> Self {
        Self { app, from, set: JobSet::new(), hashes: HashSet::new() }
    }

    /// `anchors` are those of the page itself: links within it are checked on the spot, and only
    /// broken ones become jobs, to end as dead letters.
    fn add(&mut self, target: Target, anchors: &HashSet<u64>) {
        let is_page = target.is_page();
        let within = target.path == self.from;
        let (run, from) = (self.app.run.clone(), self.from.to_owned());
        if is_page && !within {
            let job = CheckPage { run: run.clone(), url: target.path.clone(), from: from.clone() };
            self.push(&target.path, job);
        }
        let fine = match &target.fragment {
            Some(anchor) => !is_page || within && has(anchors, anchor),
            None => is_page,
        };
        if !fine {
            let url = full_url(&target.path, target.fragment.as_deref());
            self.push(&url, CheckLink { run, url: target.path, anchor: target.fragment, from });
        }
    }

    fn push<J: Job>(&mut self, url: &str, job: J) {
        let hash = hash(url);
        let known = self.app.enqueued.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(&hash) || !self.hashes.insert(hash) {
            return;
        }
        drop(known);
        let key = key(&self.app.run, url);
        self.set.add_with(job, |options| options.idempotency_key(key));
    }

    async fn send(self, client: &Client) -> Result<(), EnqueueError> {
        client.enqueue_set(self.set).await?;
        // Only now: an attempt that fails half-way must enqueue everything again.
        let mut known = self.app.enqueued.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(self.hashes);
        Ok(())
    }
}

/// The same job for the same URL within a run. Keys are short texts, URLs need not be.
pub(crate) fn key(run: &str, url: &str) -> String {
    let key = format!("{run}:{url}");
    if key.len() <= mq::NAME_LEN_MAX && key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return key;
    }
    format!("{run}:{:016x}", hash(url))
}

pub(crate) fn full_url(path: &str, anchor: Option<&str>) -> String {
    anchor.map_or_else(|| path.to_owned(), |anchor| format!("{path}#{anchor}"))
}

fn has(anchors: &HashSet<u64>, anchor: &str) -> bool {
    anchors.contains(&hash(anchor)) || anchors.contains(&hash(&html::decode(anchor)))
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
