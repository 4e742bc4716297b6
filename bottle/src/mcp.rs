//! The agent's tools over the Model Context Protocol: the same as the pages of `_egress.local`, at `/mcp` there.
//!
//! The protocol is the official SDK's, without sessions: each request stands for itself, so that nothing is kept for an agent.
//! The SDK is named in this file alone; what the tools do is in [`tools`].
pub mod entries;
pub mod inside;
pub mod relay;
mod tools;

use bytes::Bytes;
use egress::body::{Body, BoxError};
use egress::desk::{AgentSide, LocalAnswer, LocalSite};
use http::{HeaderValue, Request, header};
use http_body_util::BodyExt;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool, ToolAnnotations,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use std::sync::Arc;
use tools::{Outcome, TOOLS, ToolText};

/// Where the tools are, on `_egress.local`.
const PATH: &str = "/mcp";
/// Bytes of a message: arguments are a URL and a sentence.
const LONGEST: usize = 64 * 1024;

/// Read by agents before anything else.
const INSTRUCTIONS: &str = "You run inside a bottle: its egress lets out only what its operator allowed. When a request is refused \
    (403 with the header `bottle-decision: denied`), that is policy, not a fault: do not retry and look for no way around. \
    Do it another way, or ask the operator with `egress-block` and go on with something else until the answer is there.";

/// The site of the tools.
#[derive(Debug, Clone, Copy, Default)]
pub struct McpSite;

impl LocalSite for McpSite {
    fn answer(&self, desk: AgentSide, request: Request<Body>) -> Option<LocalAnswer> {
        if request.uri().path() != PATH {
            return None;
        }
        Some(Box::pin(async move {
            let mut response = service(desk).handle(request).await.map(body);
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }))
    }
}

fn body(body: impl http_body::Body<Data = Bytes, Error = std::convert::Infallible> + Send + 'static) -> Body {
    body.map_err(|never| -> BoxError { match never {} }).boxed_unsync()
}

/// One for each request. Who may send one (`Host`, `Origin`) the engine has judged for all of its pages.
fn service(desk: AgentSide) -> StreamableHttpService<Server, NeverSessionManager> {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(LONGEST)
        .disable_allowed_hosts();
    let server = Server { desk };
    StreamableHttpService::new(move || Ok(server.clone()), Arc::default(), config)
}

#[derive(Clone)]
struct Server {
    desk: AgentSide,
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let name = Implementation::new("bottle", env!("CARGO_PKG_VERSION")).with_title("bot-bottle egress");
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(name)
            .with_instructions(INSTRUCTIONS)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        TOOLS.iter().find(|text| text.name == name).map(tool)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(TOOLS.iter().map(tool).collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        match tools::call(&self.desk, &request.name, arguments).await {
            Some(outcome) => Ok(result(outcome).into()),
            None => {
                Err(ErrorData::invalid_params(format!("there is no tool `{}`", shown(&request.name)), None))
            }
        }
    }
}

fn shown(name: &str) -> String {
    policy::neutral(name, 60)
}

/// An answer of no use is told to the model, which may mend it: as a result, not as an error of the protocol.
fn result(outcome: Outcome) -> CallToolResult {
    let content = vec![ContentBlock::text(outcome.text)];
    let mut result =
        if outcome.failed { CallToolResult::error(content) } else { CallToolResult::success(content) };
    result.structured_content = Some(outcome.value);
    result
}

fn tool(text: &ToolText) -> Tool {
    let annotations = ToolAnnotations::with_title(text.title)
        .read_only(text.reads)
        .destructive(false)
        .idempotent(true)
        .open_world(false);
    Tool::new(text.name, text.description, text.input()).with_annotations(annotations)
}
