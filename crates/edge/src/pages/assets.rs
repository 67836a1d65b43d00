//! The built scripts and styles, embedded in the binary.
//!
//! Vite names each file by its content, so that browsers may keep it for good;
//! its manifest tells which files a page needs. A gzip copy lies beside each file
//! that gains from it, made when the pages are built and not per request.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;
use serde::Deserialize;

/// Where [`serve_asset`] is to be mounted.
pub const ASSET_ROUTE: &str = "/assets/{file}";

const MANIFEST_PATH: &str = ".vite/manifest.json";
const KEEP_FOR_GOOD: &str = "public, max-age=31536000, immutable";

#[derive(RustEmbed)]
#[folder = "web/dist"]
struct Dist;

/// What the manifest says about one source file (the part that is used here).
#[derive(Debug, Deserialize)]
struct Built {
    file: String,
    #[serde(default)]
    css: Vec<String>,
    #[serde(default)]
    imports: Vec<String>,
}

static MANIFEST: LazyLock<BTreeMap<String, Built>> = LazyLock::new(|| {
    Dist::get(MANIFEST_PATH)
        .and_then(|file| serde_json::from_slice(&file.data).ok())
        .expect("build.rs demands the manifest, and vite writes it as valid JSON")
});

/// The entry script of each kind of page; its styles come with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    Site,
    Event,
    Check,
    Queue,
    Seats,
    Checkout,
    Order,
    Console,
    Door,
    Invites,
    Away,
}

impl Entry {
    #[cfg(test)]
    pub(super) const ALL: [Self; 11] = [
        Self::Site,
        Self::Event,
        Self::Check,
        Self::Queue,
        Self::Seats,
        Self::Checkout,
        Self::Order,
        Self::Console,
        Self::Door,
        Self::Invites,
        Self::Away,
    ];

    const fn source(self) -> &'static str {
        match self {
            Self::Site => "src/site/main.ts",
            Self::Event => "src/event/main.ts",
            Self::Check => "src/check/main.ts",
            Self::Queue => "src/queue/main.ts",
            Self::Seats => "src/seats/main.ts",
            Self::Checkout => "src/checkout/main.ts",
            Self::Order => "src/order/main.ts",
            Self::Console => "src/console/main.ts",
            Self::Door => "src/door/main.ts",
            Self::Invites => "src/invites/main.ts",
            Self::Away => "src/away/main.ts",
        }
    }

    /// The `<link>` and `<script>` elements for a page's head.
    pub(super) fn tags(self) -> Tags {
        let mut tags = Tags::default();
        tags.collect(self.source());
        tags.script = MANIFEST.get(self.source()).map(|built| built.file.as_str());
        tags
    }
}

/// Files of one page, in the order in which they are to be linked.
#[derive(Debug, Default)]
pub(super) struct Tags {
    styles: Vec<&'static str>,
    modules: Vec<&'static str>,
    script: Option<&'static str>,
}

impl Tags {
    fn collect(&mut self, source: &str) {
        let Some(built) = MANIFEST.get(source) else {
            return;
        };
        for import in &built.imports {
            let Some(module) = MANIFEST.get(import) else {
                continue;
            };
            if push_once(&mut self.modules, &module.file) {
                self.collect(import);
            }
        }
        for style in &built.css {
            push_once(&mut self.styles, style);
        }
    }
}

fn push_once(files: &mut Vec<&'static str>, file: &'static str) -> bool {
    let new = !files.contains(&file);
    if new {
        files.push(file);
    }
    new
}

impl fmt::Display for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for style in &self.styles {
            writeln!(f, r#"<link rel="stylesheet" href="/{style}">"#)?;
        }
        for module in &self.modules {
            writeln!(f, r#"<link rel="modulepreload" href="/{module}">"#)?;
        }
        if let Some(script) = self.script {
            writeln!(f, r#"<script type="module" src="/{script}"></script>"#)?;
        }
        Ok(())
    }
}

/// File names in the manifest are made by our own build, never by a visitor.
impl askama::filters::HtmlSafe for Tags {}

/// The address of the site's icon.
pub(super) fn icon() -> String {
    MANIFEST
        .get("src/site/icon.svg")
        .map(|built| format!("/{}", built.file))
        .unwrap_or_default()
}

/// `GET /assets/{file}`: one embedded file, or 404.
pub async fn serve_asset(Path(file): Path<String>, request: HeaderMap) -> Response {
    let path = format!("assets/{file}");
    let Some(plain) = Dist::get(&path) else {
        return (StatusCode::NOT_FOUND, "There is no such file.").into_response();
    };
    let packed = accepts_gzip(&request)
        .then(|| Dist::get(&format!("{path}.gz")))
        .flatten();
    let mut headers = HeaderMap::from_iter([
        (header::CONTENT_TYPE, content_type(&file)),
        (
            header::CACHE_CONTROL,
            HeaderValue::from_static(KEEP_FOR_GOOD),
        ),
        (header::VARY, HeaderValue::from_static("accept-encoding")),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
    ]);
    let body = match packed {
        Some(packed) => {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            packed.data
        }
        None => plain.data,
    };
    (headers, body.into_owned()).into_response()
}

fn accepts_gzip(request: &HeaderMap) -> bool {
    request
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|coding| coding == "gzip" || (coding.starts_with("gzip;") && !refuses(coding)))
}

fn refuses(coding: &str) -> bool {
    coding
        .rsplit_once("q=")
        .is_some_and(|(_, quality)| quality.trim().parse::<f32>().is_ok_and(|q| q == 0.0))
}

/// The kinds of file that the build makes; anything else is sent as bytes.
fn content_type(file: &str) -> HeaderValue {
    HeaderValue::from_static(
        match file.rsplit_once('.').map(|(_, extension)| extension) {
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            _ => "application/octet-stream",
        },
    )
}
