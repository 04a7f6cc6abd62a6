"""
What servers answer to C{GET /models}, as it was recorded or is documented; and
entries with which tests vary it.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

OPENAI: Json = {
    "object": "list",
    "data": [
        {"id": "gpt-4o", "object": "model", "created": 1, "owned_by": "system"},
        {"id": "gpt-4o-mini", "object": "model", "created": 1, "owned_by": "system"},
    ],
}

OLLAMA: Json = {
    "object": "list",
    "data": [
        {
            "id": "llama3.2:latest",
            "object": "model",
            "created": 1731000000,
            "owned_by": "library",
        },
        {
            "id": "qwen2.5:7b",
            "object": "model",
            "created": 1731000001,
            "owned_by": "library",
        },
    ],
}

# With no model installed.
OLLAMA_EMPTY: Json = {"object": "list", "data": None}


def mesh(id: str, payment: Json | None = None) -> Json:
    """
    A model of mesh-llm; it has no C{created}.
    """
    entry: Json = {
        "id": id,
        "display_name": id.title(),
        "object": "model",
        "owned_by": "mesh-llm",
        "capabilities": ["text"],
        "multimodal_status": "none",
        "vision_status": "none",
        "audio_status": "none",
        "reasoning_status": "none",
        "system_one_status": "none",
        "metadata": {"context_length": 32768, "quant": "Q4_K_M"},
    }
    return entry if payment is None else {**entry, "payment": payment}


def mesh_payment(*pricings: Json | None, free: bool = False) -> Json:
    """
    Offers at these prices.
    """
    return {
        "binding_quote": False,
        "free_available": free,
        "paid_available": bool(pricings),
        "offers": [
            {
                "provider_id": f"peer-{position}",
                "paid": True,
                "pricing": pricing,
                "rate_unit": "msat_per_million_tokens",
                "peer_last_seen_seconds_ago": 3,
                "local": False,
            }
            for position, pricing in enumerate(pricings)
        ],
    }


def mesh_pricing(input: object, output: object) -> Json:
    """
    Msats for a million tokens.
    """
    return {
        "input_msat_per_million": input,
        "output_msat_per_million": output,
        "minimum_invoice_msat": 1000,
    }


MESH: Json = {
    "object": "list",
    "data": [
        mesh("qwen2.5-7b", mesh_payment(mesh_pricing(150_000, 600_000))),
        mesh("llama-8b", mesh_payment(None)),
        mesh("own"),
        # As older builds list it.
        {"id": "mesh", "object": "model", "owned_by": "mesh-llm"},
    ],
}

LLAMA_CPP: Json = {
    "models": [
        {
            "name": "/models/Qwen 2.5.gguf",
            "model": "/models/Qwen 2.5.gguf",
            "type": "model",
        }
    ],
    "object": "list",
    "data": [
        {
            "id": "/models/Qwen 2.5.gguf",
            "aliases": ["qwen"],
            "tags": [],
            "object": "model",
            "created": 1731000000,
            "owned_by": "llamacpp",
            "meta": {"n_ctx": 4096, "n_ctx_train": 32768, "n_params": 7615616512},
        },
        {
            "id": "loading",
            "object": "model",
            "created": 1731000000,
            "owned_by": "llamacpp",
            "meta": None,
        },
    ],
}

VLLM: Json = {
    "object": "list",
    "data": [
        {
            "id": "Qwen/Qwen2.5-7B-Instruct",
            "object": "model",
            "created": 1731000000,
            "owned_by": "vllm",
            "root": "Qwen/Qwen2.5-7B-Instruct",
            "parent": None,
            "max_model_len": 32768,
            "permission": [{"id": "modelperm-1", "object": "model_permission"}],
        }
    ],
}


def openrouter(id: str, prompt: object, completion: object, **pricing: object) -> Json:
    """
    A model of OpenRouter's, at US dollars for a token, as text.
    """
    return {
        "id": id,
        "canonical_slug": f"{id}-2024-07-18",
        "hugging_face_id": "",
        "name": id,
        "created": 1721260800,
        "description": "A model.",
        "context_length": 128000,
        "architecture": {
            "modality": "text+image->text",
            "input_modalities": ["text", "image"],
            "output_modalities": ["text"],
            "tokenizer": "GPT",
            "instruct_type": None,
        },
        "pricing": {
            "prompt": prompt,
            "completion": completion,
            "request": "0",
            "image": "0",
            "web_search": "0",
            "internal_reasoning": "0",
            **pricing,
        },
        "top_provider": {
            "context_length": 128000,
            "max_completion_tokens": 16384,
            "is_moderated": True,
        },
        "per_request_limits": None,
        "supported_parameters": ["max_tokens", "temperature"],
    }


# It has no "object" above.
OPENROUTER: Json = {
    "data": [
        openrouter(
            "openai/gpt-4o-mini",
            "0.00000015",
            "0.0000006",
            input_cache_read="0.000000075",
        ),
        openrouter("meta-llama/llama-3.3-70b-instruct:free", "0", "0"),
        openrouter("openrouter/auto", "-1", "-1"),
        openrouter("perplexity/sonar", "0.000001", "0.000001", request="0.005"),
    ]
}


def routstr(
    id: str,
    sats: tuple[float, float, float] | None,
    usd: tuple[float, float, float],
    **entry: object,
) -> Json:
    """
    A Routstr node's model: prompt, completion and cached prompt for a token.
    """
    return {
        "id": id,
        "name": id,
        "created": 1700000000,
        "description": f"{id} via mock",
        "context_length": 128000,
        "architecture": {
            "modality": "text+image->text",
            "input_modalities": ["text", "image"],
            "output_modalities": ["text"],
            "tokenizer": "unknown",
            "instruct_type": None,
        },
        "pricing": _routstr_pricing(usd, 0.0, (0.0192, 0.0098304, 0.0265728)),
        "sats_pricing": None
        if sats is None
        else _routstr_pricing(sats, 0.001, (19.2, 9.8304, 26.5728)),
        "per_request_limits": None,
        "top_provider": {
            "context_length": 128000,
            "max_completion_tokens": 16384,
            "is_moderated": False,
        },
        "enabled": True,
        "upstream_provider_id": "generic",
        "canonical_slug": None,
        "alias_ids": None,
        "forwarded_model_id": None,
        **entry,
    }


def _routstr_pricing(
    told: tuple[float, float, float], request: float, most: tuple[float, float, float]
) -> Json:
    prompt, completion, cached = told
    return {
        "prompt": prompt,
        "completion": completion,
        "request": request,
        "image": 0.0,
        "web_search": 0.0,
        "internal_reasoning": 0.0,
        "input_cache_read": cached,
        "input_cache_write": 0.0,
        "max_prompt_cost": most[0],
        "max_completion_cost": most[1],
        "max_cost": most[2],
    }


MINI_SATS = (0.00015, 0.0006, 7.5e-05)
MINI_USD = (1.5e-07, 6e-07, 7.5e-08)

# It has no "object" anywhere.
ROUTSTR: Json = {
    "data": [
        routstr("gpt-4o-mini", MINI_SATS, MINI_USD),
        routstr("gpt-4o", (0.0025, 0.01, 0.00125), (2.5e-06, 1e-05, 1.25e-06)),
    ]
}

# Before the node knows what a bitcoin is worth.
ROUTSTR_UNPRICED: Json = {"data": [routstr("gpt-4o-mini", None, MINI_USD)]}

BALANCE: Json = {
    "api_key": "sk-testkey",
    "balance": 50000000,
    "reserved": 0,
    "is_child": False,
    "total_requests": 0,
    "total_spent": 0,
    "balance_limit": None,
    "balance_limit_reset": None,
    "validity_date": None,
}
