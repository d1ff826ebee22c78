"""Real AI servers, asked as docs/ai-services.md says. Run when asked for: they install up to 700 MB, once."""
