//! What all answers have in common: who is meant by a request, the envelope, compression.

use martlet_broker::encoding::Encoding;
use martlet_broker::json;
use martlet_broker::site::About;
use martlet_monitor::body::{Body, BodyError};
use martlet_net::clock;
use martlet_proto::headers;
use serde::Serialize;

use super::{Request, Services};

/// Which servers are to answer.
// spec: CLU-090
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    name: String,
    cluster: String,
    host: String,
    /// Whether names are to be these, and not only to have these in them.
    exact: bool,
    /// All of these.
    tags: Vec<String>,
    domain: String,
}

impl Filter {
    pub(super) fn from_body(body: &mut Body<'_>) -> Self {
        Self {
            name: body.text("server_name"),
            cluster: body.text("cluster"),
            host: body.text("host"),
            exact: body.bool("exact_match"),
            tags: body.texts("tags"),
            domain: body.text("domain"),
        }
    }

    /// Whether this server is meant.
    pub(super) fn admits(&self, about: &About) -> bool {
        let named = |wanted: &str, name: &str| if self.exact { wanted == name } else { name.contains(wanted) };
        let is_or_any = |wanted: &String, name: &str| wanted.is_empty() || named(wanted, name);
        let has_tag = |wanted: &String| {
            let wanted = wanted.trim().to_lowercase();
            about.tags.contains(&wanted)
        };
        is_or_any(&self.name, &about.name)
            && is_or_any(&self.host, &about.host)
            && is_or_any(&self.cluster, about.cluster.as_deref().unwrap_or_default())
            && self.tags.iter().all(has_tag)
            && is_or_any(&self.domain, &about.domain)
    }
}

/// Why there is no page in an answer.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Another server is to answer, or none.
    Silence,
    /// What was asked cannot be.
    Failed {
        text: String,
        /// Whether the answer says that it has no page.
        without_page: bool,
    },
}

/// A page as JSON.
pub(super) type Page = Result<Vec<u8>, Refusal>;

/// A page that there is.
#[expect(clippy::unnecessary_wraps, reason = "pages that may fail have the same type")]
pub(super) fn page(value: &impl Serialize) -> Page {
    Ok(json::to_vec(value))
}

/// A page, or why it cannot be.
pub(super) fn page_or<T: Serialize, E: ToString>(result: Result<T, E>) -> Page {
    let failed = |error: E| Refusal::Failed { text: error.to_string(), without_page: true };
    result.map_err(failed).and_then(|value| page(&value))
}

#[derive(Serialize)]
struct Problem<'a> {
    code: u16,
    description: &'a str,
}

impl Services {
    /// Answers with the page that `make` makes of what `read` reads from the body, whose options are called `options`.
    // spec: CLU-089 CLU-090
    pub(super) fn respond<O>(
        &self,
        request: &Request,
        options: &'static str,
        read: impl FnOnce(&mut Body<'_>) -> O,
        make: impl FnOnce(O) -> Page,
    ) {
        match self.understand(request, options, read) {
            Ok(Some(options)) => self.respond_with(request, make(options)),
            Ok(None) => {}
            Err(error) => self.refuse(&request.reply, &error),
        }
    }

    /// What the body says; `None` if another server is meant.
    pub(super) fn understand<O>(
        &self,
        request: &Request,
        options: &'static str,
        read: impl FnOnce(&mut Body<'_>) -> O,
    ) -> Result<Option<O>, BodyError> {
        let mut body = Body::parse(&request.payload, options)?;
        let (filter, options) = (Filter::from_body(&mut body), read(&mut body));
        body.finish()?;
        Ok(filter.admits(&self.broker.site().about()).then_some(options))
    }

    /// Answers with a page, or with why there is none. Only a page is compressed.
    pub(super) fn respond_with(&self, request: &Request, page: Page) {
        match page {
            Ok(page) => {
                let accepted = headers::get(&request.headers, b"Accept-Encoding").unwrap_or_default();
                let encoding = Encoding::accepted(&String::from_utf8_lossy(accepted));
                let (headers, body) = encoding.encode(self.envelope(Some(&page), None));
                self.publish(&request.reply, headers.as_bytes(), &body);
            }
            Err(Refusal::Silence) => {}
            Err(Refusal::Failed { text, without_page }) => {
                let problem = Problem { code: 500, description: &text };
                let page = without_page.then_some(b"null".as_slice());
                self.publish(&request.reply, b"", &self.envelope(page, Some(&problem)));
            }
        }
    }

    /// Says that an order was carried out, or why it was not.
    pub(super) fn report(&self, request: &Request, result: Result<(), String>) {
        match result {
            Ok(()) => self.publish(&request.reply, b"", &self.envelope(None, None)),
            Err(text) => self.respond_with(request, Err(Refusal::Failed { text, without_page: false })),
        }
    }

    /// Says what is wrong with a body.
    pub(super) fn refuse(&self, reply: &[u8], error: &BodyError) {
        let problem = Problem { code: 400, description: &error.to_string() };
        self.publish(reply, b"", &self.envelope(None, Some(&problem)));
    }

    fn envelope(&self, page: Option<&[u8]>, error: Option<&Problem<'_>>) -> Vec<u8> {
        let about = self.broker.site().about();
        let mut out = b"{\"server\":".to_vec();
        out.extend_from_slice(&json::to_vec(&self.broker.site().server_info(&about, clock::now())));
        if let Some(page) = page {
            out.extend_from_slice(b",\"data\":");
            out.extend_from_slice(page);
        }
        if let Some(error) = error {
            out.extend_from_slice(b",\"error\":");
            out.extend_from_slice(&json::to_vec(error));
        }
        out.push(b'}');
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_answers_if_it_is_meant() {
        // spec: CLU-090
        let about = About {
            name: "here".into(),
            host: "127.0.0.1".into(),
            cluster: Some("east".into()),
            tags: vec!["one".into(), "two".into()],
            ..About::default()
        };
        for (body, meant) in [
            ("", true),
            ("{}", true),
            (r#"{"server_name":"er"}"#, true),
            (r#"{"server_name":"er","exact_match":true}"#, false),
            (r#"{"server_name":"here","exact_match":true}"#, true),
            (r#"{"server_name":"there"}"#, false),
            (r#"{"host":"127"}"#, true),
            (r#"{"host":"127","exact_match":true}"#, false),
            (r#"{"cluster":"eas"}"#, true),
            (r#"{"cluster":"eas","exact_match":true}"#, false),
            (r#"{"cluster":"west","server_name":"here"}"#, false),
            (r#"{"tags":["one","two"]}"#, true),
            (r#"{"tags":["ONE"]}"#, true),
            (r#"{"tags":["one","three"]}"#, false),
            (r#"{"tags":[]}"#, true),
            (r#"{"tags":[null]}"#, false),
            (r#"{"domain":"hub"}"#, false),
            (r#"{"domain":""}"#, true),
        ] {
            let filter = Filter::from_body(&mut Body::parse(body.as_bytes(), "X").expect("it is JSON"));
            assert_eq!(filter.admits(&about), meant, "{body}");
        }
    }
}
