//! A picture with the table of its events.

use std::fmt::Write;

use mq_core::JobId;

use crate::recorder::Entry;

use super::layout::Layout;
use super::words::{escaped, long, short};
use super::{Story, svg};

const STYLE: &str = "\
:root{color-scheme:light dark}body{font:14px system-ui,sans-serif;margin:24px}\
.wide{overflow-x:auto;border:1px solid #8888;border-radius:6px}\
table{border-collapse:collapse;margin-top:20px;font:12px ui-monospace,monospace}\
td,th{text-align:left;padding:3px 14px 3px 0;border-bottom:1px solid #8884;vertical-align:top}\
td:first-child,td:nth-child(2){text-align:right}";

/// The [`timeline`](crate::timeline()) as a page of its own, with a table of its events.
pub fn timeline_page(entries: &[Entry], job: JobId) -> String {
    let story = Story::of(entries, job);
    let mut out = String::new();
    // Writing into a string cannot fail.
    let _ = write(&mut out, &story);
    out
}

fn write(out: &mut String, story: &Story<'_>) -> std::fmt::Result {
    let job = story.job;
    writeln!(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'\">\n<title>job {job}</title>\n<style>{STYLE}</style></head>\n\
         <body><h1>Job {job}</h1>\n<p>Times are ms since the beginning of the history. The picture \
         gives each gap as much room as the logarithm of its length. A bar is a claim (amber: a \
         takeover), the dark bar inside it an execution, red ground a fault.</p>\n\
         <div class=\"wide\">{}</div>",
        svg::draw(&Layout::new(story))
    )?;
    out.push_str("<table><tr><th>ms</th><th>process</th><th>event</th><th>details</th></tr>\n");
    for entry in &story.entries {
        let (ms, process) = (story.ms(entry.at_ns), entry.process);
        let (what, details) = (escaped(&short(&entry.event)), escaped(&long(&entry.event)));
        writeln!(
            out,
            "<tr><td>{ms:.3}</td><td>{process}</td><td>{what}</td><td>{details}</td></tr>"
        )?;
    }
    out.push_str("</table>\n");
    if story.left_out > 0 {
        writeln!(out, "<p>{} more events are left out.</p>", story.left_out)?;
    }
    out.push_str("</body></html>\n");
    Ok(())
}
