"""Where documents come from beside files and folders: URLs, object stores, archives; one file a kind.

Each is opened only when the user gives it, never because a document names it. What is fetched or unpacked lies in a
temporary folder while the run lasts and is known by its true address: a URL, or `archive.zip!/inner/path`.
"""

from ingestion.sources.gather import gathered, is_url
from ingestion.sources.limits import Access, Limits
from ingestion.sources.pictures import WebPictures, web_pictures

__all__ = ["Access", "Limits", "WebPictures", "gathered", "is_url", "web_pictures"]
