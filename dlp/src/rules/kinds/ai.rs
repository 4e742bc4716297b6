//! Providers of models and what agents are made with.
use super::Kind;
use crate::rules::checks;

pub(super) const KINDS: &[Kind] = &[
    Kind::new("openai-project-key", "OpenAI", "OpenAI project key")
        .seen(&["sk-proj-"], "sk-proj-[0-9A-Za-z_-]{20,90}T3BlbkFJ[0-9A-Za-z_-]{20,90}")
        .random(4.0),
    Kind::new("openai-service-account-key", "OpenAI", "OpenAI service account key")
        .seen(&["sk-svcacct-"], "sk-svcacct-[0-9A-Za-z_-]{20,90}T3BlbkFJ[0-9A-Za-z_-]{20,90}")
        .random(4.0),
    Kind::new("openai-admin-key", "OpenAI", "OpenAI admin key")
        .seen(&["sk-admin-"], "sk-admin-[0-9A-Za-z_-]{20,90}T3BlbkFJ[0-9A-Za-z_-]{20,90}")
        .random(4.0),
    Kind::new("openai-user-key", "OpenAI", "OpenAI user key")
        .seen(&["T3BlbkFJ"], "sk-(?:None-)?[0-9A-Za-z]{20}T3BlbkFJ[0-9A-Za-z]{20}")
        .lead(28)
        .random(3.8),
    Kind::new(
        "sk-48-key",
        "several",
        "API key of the form `sk-` and 48 letters and digits (Moonshot, Stability, Qwen and others)",
    )
    .seen(&["sk-"], bounded!("sk-[0-9A-Za-z]{48}"))
    .part()
    .alone()
    .random(4.2)
    .checked(checks::all_sorts),
    Kind::new(
        "deepseek-key",
        "DeepSeek",
        "DeepSeek key, or another of the form `sk-` and 32 hexadecimal digits",
    )
    .seen(&["sk-"], r"(sk-[0-9a-f]{32})(?:[^0-9A-Za-z_-]|\z)")
    .part()
    .alone()
    .random(3.0),
    Kind::new("anthropic-api-key", "Anthropic", "Anthropic API key")
        .seen(&["sk-ant-api03-"], "sk-ant-api03-[0-9A-Za-z_-]{80,120}")
        .random(4.2),
    Kind::new("anthropic-admin-key", "Anthropic", "Anthropic admin key")
        .seen(&["sk-ant-admin01-"], "sk-ant-admin01-[0-9A-Za-z_-]{80,120}")
        .random(4.2),
    Kind::new("anthropic-oauth-token", "Anthropic", "Claude OAuth access token")
        .seen(&["sk-ant-oat01-"], "sk-ant-oat01-[0-9A-Za-z_-]{80,120}")
        .random(4.2),
    Kind::new("anthropic-refresh-token", "Anthropic", "Claude OAuth refresh token")
        .seen(&["sk-ant-ort01-"], "sk-ant-ort01-[0-9A-Za-z_-]{80,120}")
        .random(4.2),
    Kind::new("anthropic-session-key", "Anthropic", "Claude session key")
        .seen(&["sk-ant-sid01-"], "sk-ant-sid01-[0-9A-Za-z_-]{80,120}")
        .random(4.2),
    Kind::new("cohere-key", "Cohere", "Cohere API key")
        .seen(&["cohere", "co_api_key"], named!("cohere|co_api", "[0-9A-Za-z]{40}"))
        .part()
        .random(4.0)
        .checked(checks::all_sorts),
    Kind::new("mistral-key", "Mistral", "Mistral API key")
        .seen(&["mistral"], near!("mistral", "[0-9A-Za-z]{32}"))
        .part()
        .random(3.9)
        .checked(checks::all_sorts),
    Kind::new("groq-key", "Groq", "Groq API key")
        .seen(&["gsk_"], bounded!("gsk_[0-9A-Za-z]{52}"))
        .part()
        .alone()
        .random(4.0),
    Kind::new("huggingface-user-token", "Hugging Face", "Hugging Face user access token")
        .seen(&["hf_"], bounded!("hf_[0-9A-Za-z]{34,40}"))
        .part()
        .alone()
        .random(3.8),
    Kind::new("huggingface-organisation-token", "Hugging Face", "Hugging Face organisation token")
        .seen(&["api_org_"], "api_org_[0-9A-Za-z]{34}")
        .random(3.8),
    Kind::new("replicate-token", "Replicate", "Replicate API token")
        .seen(&["r8_"], bounded!("r8_[0-9A-Za-z]{37}"))
        .part()
        .alone()
        .random(3.8),
    Kind::new("perplexity-key", "Perplexity", "Perplexity API key")
        .seen(&["pplx-"], "pplx-[0-9A-Za-z]{48}")
        .random(4.0),
    Kind::new("xai-key", "xAI", "xAI API key").seen(&["xai-"], "xai-[0-9A-Za-z]{80}").alone().random(4.2),
    Kind::new("openrouter-key", "OpenRouter", "OpenRouter API key")
        .seen(&["sk-or-v1-"], "sk-or-v1-[0-9a-f]{64}")
        .random(3.0),
    Kind::new("together-key", "Together AI", "Together AI API key")
        .seen(&["tgp_v1_"], "tgp_v1_[0-9A-Za-z_-]{43}")
        .random(4.0),
    Kind::new("fireworks-key", "Fireworks AI", "Fireworks AI API key")
        .seen(&["fw_"], bounded!("fw_[0-9A-Za-z]{22,24}"))
        .part()
        .alone()
        .random(3.7)
        .checked(checks::all_sorts),
    Kind::new("cerebras-key", "Cerebras", "Cerebras API key")
        .seen(&["csk-"], "csk-[0-9a-z]{48}")
        .alone()
        .random(3.8),
    Kind::new("nvidia-key", "NVIDIA", "NVIDIA API key")
        .seen(&["nvapi-"], "nvapi-[0-9A-Za-z_-]{64}")
        .random(4.0),
    Kind::new("elevenlabs-key", "ElevenLabs", "ElevenLabs API key")
        .seen(&["sk_"], r"(sk_[0-9a-f]{48})(?:[^0-9A-Za-z_-]|\z)")
        .part()
        .alone()
        .random(3.0),
    Kind::new("assemblyai-key", "AssemblyAI", "AssemblyAI API key")
        .seen(&["assemblyai"], near!("assemblyai", "[0-9a-f]{32}"))
        .part()
        .random(3.0),
    Kind::new("langsmith-key", "LangSmith", "LangSmith API key")
        .seen(&["lsv2_pt_", "lsv2_sk_"], "lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}")
        .random(3.0),
    Kind::new("langfuse-secret-key", "Langfuse", "Langfuse secret key")
        .seen(&["sk-lf-"], "sk-lf-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
        .random(2.8),
    Kind::new("pinecone-key", "Pinecone", "Pinecone API key")
        .seen(&["pcsk_"], "pcsk_[0-9A-Za-z]{5,8}_[0-9A-Za-z]{50,70}")
        .random(4.0),
    Kind::new("wandb-key", "Weights & Biases", "Weights & Biases API key")
        .seen(&["wandb"], near!("wandb", "[0-9a-f]{40}"))
        .part()
        .random(3.0),
    Kind::new("wandb-new-key", "Weights & Biases", "Weights & Biases API key of the new form")
        .seen(&["wandb_v1_"], "wandb_v1_[0-9A-Za-z_]{60,90}")
        .random(4.0),
    Kind::new("voyage-key", "Voyage AI", "Voyage AI API key")
        .seen(&["pa-"], r"(pa-[0-9A-Za-z_-]{43})(?:[^0-9A-Za-z_-]|\z)")
        .part()
        .alone()
        .random(4.2)
        .checked(checks::all_sorts),
    Kind::new("jina-key", "Jina AI", "Jina AI API key")
        .seen(&["jina_"], "jina_[0-9a-f]{32}[0-9A-Za-z_-]{28}")
        .random(3.6),
    Kind::new("tavily-key", "Tavily", "Tavily API key")
        .seen(&["tvly-"], "tvly-(?:dev-|prod-)?[0-9A-Za-z]{32}")
        .random(3.8),
    Kind::new("firecrawl-key", "Firecrawl", "Firecrawl API key")
        .seen(&["fc-"], r"(fc-[0-9a-f]{32})(?:[^0-9A-Za-z_-]|\z)")
        .part()
        .alone()
        .random(3.0),
    Kind::new("brave-search-key", "Brave", "Brave Search API key")
        .seen(&["BSA"], bounded!("BSA[0-9A-Za-z_-]{28}"))
        .part()
        .alone()
        .random(3.8)
        .checked(checks::all_sorts),
    Kind::new("serpapi-key", "SerpApi", "SerpApi key")
        .seen(&["serpapi", "serp_api"], near!("serpapi|serp_api", "[0-9a-f]{64}"))
        .part()
        .random(3.0),
    Kind::new("exa-key", "Exa", "Exa API key")
        .seen(
            &["exa_api", "exa-api"],
            near!("exa_api|exa[-]api", "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
        )
        .part()
        .random(2.8),
    Kind::new("e2b-key", "E2B", "E2B API key").seen(&["e2b_"], "e2b_[0-9a-f]{40}").alone().random(3.0),
    Kind::new("cursor-key", "Cursor", "Cursor API key")
        .seen(&["key_"], "key_[0-9a-f]{64}")
        .alone()
        .random(3.0),
    Kind::new("deepgram-key", "Deepgram", "Deepgram API key")
        .seen(&["deepgram"], near!("deepgram", "[0-9a-f]{40}"))
        .part()
        .random(3.0),
    Kind::new("runpod-key", "RunPod", "RunPod API key")
        .seen(&["rpa_"], "rpa_[0-9A-Z]{40,46}[0-9A-Za-z]{0,6}")
        .alone()
        .random(3.8),
    Kind::new("databricks-token", "Databricks", "Databricks personal access token")
        .seen(&["dapi"], "dapi[0-9a-f]{32}(?:-[0-9])?")
        .alone()
        .random(3.0),
    Kind::new("databricks-oauth-secret", "Databricks", "Databricks OAuth secret")
        .seen(&["dose"], "dose[0-9a-f]{32}")
        .alone()
        .random(3.0),
    Kind::new("friendli-token", "Friendli", "Friendli token")
        .seen(&["flp_"], "flp_[0-9A-Za-z]{46,52}")
        .alone()
        .random(4.0),
    Kind::new("helicone-key", "Helicone", "Helicone API key")
        .seen(&["sk-helicone-"], "sk-helicone-[0-9a-z]{7}-[0-9a-z]{7}-[0-9a-z]{7}-[0-9a-z]{7}")
        .random(3.4),
    Kind::new("zhipu-key", "Zhipu AI", "Zhipu AI (GLM) API key")
        .seen(
            &["zhipu", "zai_api", "bigmodel", "glm_api"],
            near!("zhipu|zai_api|bigmodel|glm_api", r"[0-9a-f]{32}\.[0-9A-Za-z]{16}"),
        )
        .part()
        .random(3.4),
];
