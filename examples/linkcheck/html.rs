//! Just enough HTML and URLs for checking links.

/// What a page has to do with links.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    /// The values of `href` and `src`, as written.
    pub(crate) links: Vec<String>,
    /// What a link can point at within the page.
    pub(crate) anchors: Vec<String>,
}

/// Reads the tags of a page. Forgiving: a page that a browser shows gives something.
pub(crate) fn scan(html: &str) -> Page {
    let mut page = Page::default();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = after(comment, "-->");
        } else if rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
            let len = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-');
            let (tag, attributes) = rest.split_at(len.unwrap_or(rest.len()));
            rest = self::attributes(attributes, |name, value| page.note(tag, name, value));
            // Scripts and styles contain `<` that begin no tag.
            if tag == "script" || tag == "style" {
                rest = after(rest, &format!("</{tag}"));
            }
        }
    }
    page
}

impl Page {
    fn note(&mut self, tag: &str, name: &str, value: &str) {
        match (tag, name) {
            (_, "id") | ("a", "name") => self.anchors.push(unescape(value)),
            ("a" | "link" | "area", "href") => self.links.push(unescape(value)),
            ("img" | "script" | "iframe", "src") => self.links.push(unescape(value)),
            _ => {}
        }
    }
}

fn after<'a>(text: &'a str, end: &str) -> &'a str {
    text.find(end).map_or("", |at| &text[at + end.len()..])
}

/// Reads attributes up to the end of the tag and returns what follows it.
fn attributes(mut rest: &str, mut each: impl FnMut(&str, &str)) -> &str {
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        if rest.is_empty() {
            return rest;
        }
        if let Some(rest) = rest.strip_prefix('>') {
            return rest;
        }
        let ends_name = |c: char| c.is_ascii_whitespace() || matches!(c, '=' | '>' | '/');
        // At least one character, or a stray `=` would never be passed.
        let first = rest.chars().next().map_or(1, char::len_utf8);
        let len = rest[first..].find(ends_name).map_or(rest.len(), |at| at + first);
        let (name, tail) = rest.split_at(len);
        let Some(tail) = tail.trim_start().strip_prefix('=') else {
            rest = tail;
            continue;
        };
        let tail = tail.trim_start();
        let (value, tail) = match tail.as_bytes().first() {
            Some(b'"') => tail[1..].split_once('"').unwrap_or((&tail[1..], "")),
            Some(b'\'') => tail[1..].split_once('\'').unwrap_or((&tail[1..], "")),
            _ => tail.split_at(
                tail.find(|c: char| c.is_ascii_whitespace() || c == '>').unwrap_or(tail.len()),
            ),
        };
        each(&name.to_ascii_lowercase(), value);
        rest = tail;
    }
}

fn unescape(value: &str) -> String {
    if !value.contains('&') {
        return value.to_owned();
    }
    [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&amp;", "&"),
    ]
    .iter()
    .fold(value.to_owned(), |value, (entity, text)| value.replace(entity, text))
}

/// A place on the site.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Target {
    /// Decoded, absolute, without `.` and `..`.
    pub(crate) path: String,
    /// As written: browsers look for an anchor of this name first, and then for the decoded one.
    pub(crate) fragment: Option<String>,
}

impl Target {
    pub(crate) fn is_page(&self) -> bool {
        self.path == "/" || self.path.ends_with(".html")
    }
}

/// Where a link on a page of the site leads; none if it leads elsewhere.
pub(crate) fn resolve(page: &str, link: &str) -> Option<Target> {
    let link = link.trim();
    let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
    let path = path.split('?').next().unwrap_or_default();
    let scheme = path.split('/').next().is_some_and(|first| first.contains(':'));
    if scheme || path.starts_with("//") {
        return None;
    }
    let path = match path {
        "" => page.to_owned(),
        _ if path.starts_with('/') => normal(&decode(path)),
        _ => normal(&format!(
            "{}/{}",
            page.rsplit_once('/').map_or("", |(dir, _)| dir),
            decode(path)
        )),
    };
    Some(Target { path, fragment: anchor(fragment) })
}

/// What must be in the page for a fragment to work; none if nothing must.
fn anchor(fragment: &str) -> Option<String> {
    // `#` and `#top` are the top of any page, `#:~:` searches for text.
    if fragment.is_empty() || fragment == "top" || fragment.starts_with(":~:") {
        return None;
    }
    // A range of lines in a page of source code, which a script marks.
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let range = fragment.split_once('-').filter(|(from, to)| number(from) && number(to));
    Some(range.map_or(fragment, |(from, _)| from).to_owned())
}

fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let directory = path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..");
    if directory && !parts.is_empty() {
        parts.push("index.html");
    }
    format!("/{}", parts.join("/"))
}

pub(crate) fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match hex {
            Some(byte) if bytes[at] == b'%' => {
                decoded.push(byte);
                at += 3;
            }
            _ => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

pub(crate) fn encode(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'~' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_anchors_are_found_however_they_are_quoted() {
        let page = scan(
            "<!-- <a href='no'> --><a class=x href=\"a.html?x=1&amp;y#f\" id=1 hidden>1</a>\
             <script>if (a<b) { '<a href=no>' }</script><img src='b.png'/><h2 id=\"top-2\">",
        );
        assert_eq!(page.links, ["a.html?x=1&y#f", "b.png"]);
        assert_eq!(page.anchors, ["1", "top-2"]);
        assert_eq!(scan("<a = href"), Page::default());
    }

    #[test]
    fn links_are_resolved_as_browsers_do() {
        let to = |link: &str| resolve("/a/b/c.html", link).map(|t| (t.path, t.fragment));
        let path = |path: &str| Some((path.to_owned(), None));
        assert_eq!(to("d.html"), path("/a/b/d.html"));
        assert_eq!(to("../x/"), path("/a/x/index.html"));
        assert_eq!(to("../../../../y.css?v=1#"), path("/y.css"));
        assert_eq!(to("https://example.com/"), None);
        assert_eq!(to("mailto:me"), None);
        assert_eq!(to("#12-20"), Some(("/a/b/c.html".into(), Some("12".into()))));
        assert_eq!(to("/e%20f.html#g%C3%A9"), Some(("/e f.html".into(), Some("g%C3%A9".into()))));
    }
}
