"""A parsed document as LlamaIndex nodes: deterministic ids, linked neighbours, metadata under the keys of
rag.schema."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from textwrap import shorten
from typing import Any, Final

from llama_index.core.schema import ImageNode, NodeRelationship, ObjectType, RelatedNodeInfo, TextNode

from ingestion.assets import PictureStore
from ingestion.document import Block, ParsedDocument, Picture, one_line, section_path, storable
from ingestion.seams import Encoder
from ingestion.split import Passage, Spans, split_blocks
from rag.errors import InputError, PictureError
from rag.schema import PAYLOAD_TYPES

EMBED_HEADING: Final = True
"""Whether a passage is embedded with its innermost heading in front, where both fit one window. See
`embedding_text`."""

BOOKKEEPING: Final = ("revision", "doc_nodes")
SHOWN_TO_LLM: Final = frozenset({"title", "section", "page", "caption", "alt"})
"""The keys that a language model or another embedding sees beside the text; all others are excluded for both."""

MAX_OCR_CAPTION: Final = 300
"""Characters of drawn words that are shown as a caption."""

RESERVED: Final = frozenset({*PAYLOAD_TYPES, *BOOKKEEPING, "caption", "alt", "ocr", "caption_model"})


@dataclass(frozen=True)
class Origin:
    """What all nodes of a document share."""

    source: str
    revision: str
    ingested_at: str
    """ISO 8601, UTC."""
    metadata: Mapping[str, Any]
    """The user's own."""

    @property
    def doc_id(self) -> str:
        """UUIDv5 of the source."""
        return document_id(self.source)


def document_id(source: str) -> str:
    """The document id of a source: UUIDv5 in the URL namespace."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, source))


def check_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The user's metadata, if it can be stored and filtered. Raises InputError for reserved keys and nested values."""
    for key, value in metadata.items():
        if not isinstance(key, str) or not storable(key):
            raise InputError(f"metadata key {key!r}", "words in Unicode are allowed", "rename it")
        if not key or key in RESERVED or key.startswith("_"):
            raise InputError(
                f"metadata key {key!r}",
                "any name that Triptych does not use is allowed",
                f"rename it, as in my_{key.lstrip('_')}",
            )
        values = value if isinstance(value, list | tuple) else [value]
        if not all(map(storable, values)):
            raise InputError(
                f"metadata {key}={value!r}",
                "strings, finite numbers (whole ones of 64 bits), booleans and lists of them are allowed",
                "flatten it, or leave it out",
            )
    return {key: list(value) if isinstance(value, tuple) else value for key, value in metadata.items()}


def _fields_of(document: ParsedDocument) -> dict[str, Any]:
    """What a file says about itself, as far as it can be stored and filtered: it may come from a stranger."""
    kept: dict[str, Any] = {}
    for key, value in document.metadata.items():
        try:
            kept |= check_metadata({key: value})
        except InputError:
            continue
    return kept


def embedding_text(node: TextNode, spans: Spans, window: int) -> str:
    """The words that stand for a passage in vector space: its text, under its innermost heading.

    The heading says what "it" is in a passage from the middle of a section. It is left out where the passage begins
    with it, and where both together exceed the window: two half-empty windows are a worse average than one full one.
    """
    section = str(node.metadata.get("section", ""))
    heading = section.rpartition(" › ")[2] or str(node.metadata.get("title", ""))
    if not EMBED_HEADING or not heading or heading in node.text.split("\n\n", 1)[0]:
        return node.text
    headed = f"{heading}: {node.text}"
    return headed if len(spans(headed)) <= window else node.text


def embed(nodes: Sequence[TextNode], encoder: Encoder) -> None:
    """Give passages the vector of `embedding_text`, pictures that of what they show and that of their words, if any.

    Raises PictureError, before any node is given a vector, where a picture cannot be opened.
    """
    images = [node for node in nodes if isinstance(node, ImageNode)]
    shown = encoder.encode_images([node.image_path for node in images]).tolist() if images else []
    for node, vector in zip(images, shown, strict=True):
        node.embedding = vector
    _embed_words(nodes, encoder)


def embed_what_opens(nodes: Sequence[TextNode], encoder: Encoder) -> list[str]:
    """`embed`, except that a picture which cannot be opened is left with its words alone; returns the ids of those."""
    try:
        embed(nodes, encoder)
    except PictureError:
        closed = [node.node_id for node in nodes if isinstance(node, ImageNode) and not _opens(node, encoder)]
        _embed_words(nodes, encoder)
        return closed
    return []


def _opens(node: ImageNode, encoder: Encoder) -> bool:
    try:
        node.embedding = encoder.encode_images([node.image_path])[0].tolist()
    except PictureError:
        return False
    return True


def _embed_words(nodes: Sequence[TextNode], encoder: Encoder) -> None:
    passages = [node for node in nodes if not isinstance(node, ImageNode)]
    worded = [node for node in nodes if isinstance(node, ImageNode) and node.text]
    words = [embedding_text(node, encoder.token_spans, encoder.text_window) for node in passages]
    words += [caption_words(node) for node in worded]
    said = encoder.encode_texts(words).tolist() if words else []
    for passage, vector in zip(passages, said[: len(passages)], strict=True):
        passage.embedding = vector
    for image, vector in zip(worded, said[len(passages) :], strict=True):
        image.text_embedding = vector


def build_nodes(
    document: ParsedDocument, origin: Origin, pictures: PictureStore, spans: Spans, window: int
) -> list[TextNode]:
    """The nodes of a document in reading order, without vectors. Pictures are stored as files.

    Passages are linked PREVIOUS and NEXT among themselves. A picture points to the passage that holds the text before
    it (PREVIOUS) and after it (NEXT), if they are of the same page, or where there are no pages of the same section:
    an answer that shows the picture can attach the words around it. Passages do not point to pictures, so that a walk
    along the text meets text only.

    Raises PictureError or StoreError where a picture cannot be stored.
    """
    blocks = document.blocks
    passages = split_blocks(blocks, spans, window)
    texts = [_text_node(passage) for passage in passages]
    images: list[tuple[float, ImageNode, Picture, int]] = []
    before = -1
    for item in document.items:
        if isinstance(item, Picture):
            images.append((_place(passages, before), _image_node(item, pictures), item, before))
        else:
            before += 1
    ordered = sorted(
        [(float(index), 0, node) for index, node in enumerate(texts)]
        + [(place, 1, node) for place, node, *_ in images],
        key=lambda entry: entry[:2],
    )
    nodes: list[TextNode] = [node for *_, node in ordered]
    _finish(nodes, document, origin)
    _link_passages(texts)
    for _, node, picture, index in images:
        near = [at for at in (index, index + 1) if 0 <= at < len(blocks) and _near(picture, blocks[at])]
        _link_picture(node, index, near, passages, texts)
    return nodes


def _place(passages: Sequence[Passage], before: int) -> float:
    """Where a picture stands among the passages: after the one that holds the block before it."""
    return max((index for index, passage in enumerate(passages) if passage.blocks[0] <= before), default=-1) + 0.5


def _text_node(passage: Passage) -> TextNode:
    metadata: dict[str, Any] = {"mime": "text/plain"}
    if passage.section:
        metadata["section"] = passage.section
    if passage.page is not None:
        metadata["page"] = passage.page
    metadata["content_sha256"] = _digest(passage.text)
    return TextNode(text=passage.text, metadata=metadata)


def _image_node(picture: Picture, pictures: PictureStore) -> ImageNode:
    stored = pictures.put(picture)
    metadata: dict[str, Any] = {"mime": picture.mime}
    if section := section_path(picture.section):
        metadata["section"] = section
    if picture.page is not None:
        metadata["page"] = picture.page
    metadata |= _words_of(picture)
    metadata |= {"image_sha256": stored.sha256, "image_phash": stored.phash}
    metadata |= {"width": stored.width, "height": stored.height}
    text = "\n".join(filter(None, (picture.words, picture.ocr)))
    metadata["content_sha256"] = _digest(f"{stored.sha256}\n{text}")
    return ImageNode(
        text=text,
        image_path=str(stored.path),
        image_mimetype=stored.mime,
        mimetype=stored.mime,
        metadata=metadata,
    )


def _words_of(picture: Picture) -> dict[str, Any]:
    """The payload keys for a picture's words. What is drawn in it is its caption where nothing else is."""
    caption, alt = one_line(picture.caption), one_line(picture.alt)
    words: dict[str, Any] = {}
    if shown := caption or alt or ", ".join(picture.keywords):
        words = {"caption": shown, "caption_source": picture.caption_source}
    elif picture.ocr:
        words = {"caption": shorten(picture.ocr, MAX_OCR_CAPTION, placeholder=" …"), "caption_source": "ocr"}
    if caption and alt and alt != caption:
        words["alt"] = alt
    if picture.keywords:
        words["keywords"] = list(picture.keywords)
    if picture.ocr:
        words["ocr"] = picture.ocr
    return words


def caption_words(node: ImageNode) -> str:
    """The words that stand for a picture in the `caption` vector: all that are said of it, not those drawn in it.

    The text of a picture node, over which `lexical` goes, ends with the drawn words. Thirty axis labels would pull the
    vector away from what the caption says, so they are left out wherever anything else is said.
    """
    return node.text.removesuffix(str(node.metadata.get("ocr", ""))).strip() or node.text


def _finish(nodes: Sequence[TextNode], document: ParsedDocument, origin: Origin) -> None:
    """Give each node its id, its source and what the document knows."""
    source = RelatedNodeInfo(node_id=origin.doc_id, node_type=ObjectType.DOCUMENT)
    own_fields = _fields_of(document)
    for position, node in enumerate(nodes):
        own = dict(node.metadata)
        node.metadata = {
            "source": origin.source,
            # A picture file is a picture; a passage and a picture of a document are of the document's kind.
            "mime": document.mime,
            "title": document.title,
            # What stands above the first heading belongs to the document as a whole.
            **({"section": document.title} if document.blocks and document.title else {}),
            **{key: value for key, value in own.items() if key != "mime"},
            "position": position,
            "ingested_at": origin.ingested_at,
            "revision": origin.revision,
            "doc_nodes": len(nodes),
            **own_fields,
            **origin.metadata,
        }
        hidden = [key for key in node.metadata if key not in SHOWN_TO_LLM and key not in origin.metadata]
        node.excluded_llm_metadata_keys = hidden
        node.excluded_embed_metadata_keys = list(hidden)
        node.id_ = str(uuid.uuid5(uuid.UUID(origin.doc_id), f"{position}:{own['content_sha256']}"))
        node.relationships = {NodeRelationship.SOURCE: source}


def _link_passages(texts: Sequence[TextNode]) -> None:
    for before, after in pairwise(texts):
        before.relationships[NodeRelationship.NEXT] = _related(after)
        after.relationships[NodeRelationship.PREVIOUS] = _related(before)


def _link_picture(
    node: ImageNode,
    before: int,
    near: Sequence[int],
    passages: Sequence[Passage],
    texts: Sequence[TextNode],
) -> None:
    for index in near:
        relation = NodeRelationship.PREVIOUS if index == before else NodeRelationship.NEXT
        held = [number for number, passage in enumerate(passages) if passage.blocks[0] <= index <= passage.blocks[1]]
        if held:
            node.relationships[relation] = _related(texts[held[-1 if index == before else 0]])


def _near(picture: Picture, block: Block) -> bool:
    return block.page == picture.page and (picture.page is not None or block.section == picture.section)


def _related(node: TextNode) -> RelatedNodeInfo:
    kind = ObjectType.IMAGE if isinstance(node, ImageNode) else ObjectType.TEXT
    return RelatedNodeInfo(node_id=node.node_id, node_type=kind)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
