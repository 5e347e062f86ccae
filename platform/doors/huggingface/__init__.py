"""The Hugging Face Hub's protocol, as `huggingface_hub`, transformers, datasets and the `hf` command speak it (docs/doors-huggingface.md)."""
