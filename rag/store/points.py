"""LlamaIndex nodes as Qdrant points, and back.

A point's payload holds the node itself (`_node_content`, `_node_type`, as LlamaIndex lays them out, without vectors
and picture bytes), the legs it has (`_legs`), and flat keys for filters: those of `rag.schema.PAYLOAD_TYPES` and the
user's own metadata as typed. Pictures under the pictures' root are stored relative to it.
"""

from __future__ import annotations

import json
import math
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Final

import numpy as np
from llama_index.core.schema import BaseNode, ImageNode, MetadataMode, Node
from llama_index.core.vector_stores.utils import metadata_dict_to_node
from qdrant_client import models

from rag.errors import StoreError
from rag.schema import LEXICAL, PAYLOAD_TYPES, Leg
from rag.store.lexical import Lexicon
from rag.store.values import type_of

CONTENT, TYPE, LEGS_KEY = "_node_content", "_node_type", "_legs"
INTERNAL_KEYS: Final = frozenset({CONTENT, TYPE, LEGS_KEY})
_RELATIVE: Final = "triptych-pictures:"


@dataclass(frozen=True)
class Codec:
    """Turns nodes into points and payloads into nodes, for one collection."""

    dim: int
    lexicon: Lexicon
    pictures_root: Path | None = None

    def point(self, node: BaseNode) -> models.PointStruct:
        """The point of a node. Raises StoreError for an id that is no UUID, or a vector that cannot be stored."""
        vectors = self.vectors(node)
        return models.PointStruct(id=_point_id(node), vector=vectors, payload=self.payload(node, vectors))

    def vectors(self, node: BaseNode) -> dict[str, Any]:
        """The legs of a node by name; a leg it lacks is absent."""
        vectors: dict[str, Any] = {}
        if node.embedding is not None:
            vectors["image" if is_picture(node) else "text"] = self._dense(node, node.embedding)
        if isinstance(node, ImageNode) and node.text_embedding is not None:
            vectors["caption"] = self._dense(node, node.text_embedding)
        words = node.text if isinstance(node, ImageNode) else node.get_content(MetadataMode.NONE)
        lexical = self.lexicon.document(words) if words else None
        if lexical is not None:
            vectors[LEXICAL] = lexical
        return vectors

    def payload(self, node: BaseNode, legs: Mapping[str, Any]) -> dict[str, Any]:
        """The payload of a node that has `legs`. Raises StoreError for bytes or numbers that cannot be stored."""
        content = node.model_dump(mode="json", exclude={"embedding", "text_embedding", "image"})
        content["embedding"] = None
        if picture_of(node) is None and _has_bytes(node):
            raise StoreError(
                f"picture {node.node_id} is given as bytes", "pictures as files or URLs", "write it to a file first"
            )
        if content.get("image_resource"):
            content["image_resource"]["data"] = None
        flat = self._fields(node, content["metadata"])
        self._relocate(content)
        _require_finite(node.node_id, node.metadata)
        flat[CONTENT] = json.dumps(content, ensure_ascii=False)
        flat[TYPE] = node.class_name()
        flat[LEGS_KEY] = sorted(legs)
        return flat

    def fields(self, node: BaseNode) -> dict[str, Any]:
        """What a filter sees of a node that was stored: its metadata, and what the store adds to it."""
        return self._fields(node, node.metadata)

    def node(self, payload: Mapping[str, Any]) -> BaseNode:
        """The node of a payload, with its pictures resolved against the pictures' root."""
        text = payload[CONTENT]
        if _RELATIVE in text:
            content = json.loads(text)
            for key in ("image_path", "image_url"):
                if content.get(key):
                    content[key] = self._resolved(content[key])
            resource = content.get("image_resource")
            if resource and resource.get("path"):
                resource["path"] = self._resolved(resource["path"])
            if isinstance(content["metadata"].get("image_uri"), str):
                content["metadata"]["image_uri"] = self._resolved(content["metadata"]["image_uri"])
            text = json.dumps(content)
        return metadata_dict_to_node({CONTENT: text, TYPE: payload[TYPE]})

    def picture_file(self, payload: Mapping[str, Any]) -> str:
        """The path of a picture's file, from the payload key `image_uri` alone; empty where it has no file here."""
        uri = str(payload.get("image_uri") or "")
        return "" if not uri or "://" in uri else str(Path(self.pictures_root or "", uri))

    def _fields(self, node: BaseNode, metadata: Mapping[str, Any]) -> dict[str, Any]:
        fields = {**metadata, "modality": "image" if is_picture(node) else "text"}
        if node.ref_doc_id:
            fields["doc_id"] = node.ref_doc_id
        picture = picture_of(node) or fields.get("image_uri")
        if isinstance(picture, str):
            fields["image_uri"] = self._stored(picture).removeprefix(_RELATIVE)
        return fields

    def _relocate(self, content: dict[str, Any]) -> None:
        if content.get("image_path"):
            content["image_path"] = self._stored(content["image_path"])
        resource = content.get("image_resource")
        if resource and resource.get("path"):
            resource["path"] = self._stored(resource["path"])
        named = content["metadata"].get("image_uri")
        if isinstance(named, str):
            content["metadata"] = {**content["metadata"], "image_uri": self._stored(named)}

    def _stored(self, picture: str) -> str:
        if self.pictures_root is None or "://" in picture:
            return picture
        path, root = PurePath(picture), PurePath(self.pictures_root)
        if not path.is_relative_to(root):
            path, root = PurePath(os.path.abspath(path)), PurePath(os.path.abspath(root))
        return _RELATIVE + path.relative_to(root).as_posix() if path.is_relative_to(root) else picture

    def _resolved(self, stored: str) -> str:
        if not stored.startswith(_RELATIVE):
            return stored
        relative = stored.removeprefix(_RELATIVE)
        return relative if self.pictures_root is None else str(self.pictures_root / relative)

    def _dense(self, node: BaseNode, values: Any) -> list[float]:
        return dense(values, self.dim, f"node {node.node_id}")


def dense(values: Any, dim: int, what: str) -> list[float]:
    """`dim` finite floats that are not all zero. Raises StoreError for anything else."""
    array = np.asarray(values, dtype=np.float32)
    if array.shape != (dim,):
        raise StoreError(
            f"{what} has a vector of shape {array.shape}", f"({dim},)", "use the encoder that made the collection"
        )
    if not np.isfinite(array).all() or not array.any():
        raise StoreError(f"{what} has a vector that is zero or not finite", "a direction; leave the leg out otherwise")
    floats: list[float] = array.tolist()
    return floats


def is_picture(node: BaseNode) -> bool:
    """Whether a node stands for a picture."""
    return isinstance(node, ImageNode) or (isinstance(node, Node) and node.image_resource is not None)


def own_fields(payload: Mapping[str, Any]) -> dict[str, str]:
    """The user's own fields in a payload and the type of each value."""
    found = {}
    for key, value in payload.items():
        kind = type_of(value)
        if kind is not None and key not in INTERNAL_KEYS and key not in PAYLOAD_TYPES and '"' not in key and key:
            found[key] = kind
    return found


def legs_of(payload: Mapping[str, Any]) -> frozenset[Leg]:
    """The legs that a point has."""
    return frozenset(payload.get(LEGS_KEY) or ())


def picture_of(node: BaseNode) -> str | None:
    """The path or URL of a node's picture; None where it is given as bytes, or the node is no picture."""
    if isinstance(node, ImageNode):
        return node.image_path or node.image_url
    if isinstance(node, Node) and node.image_resource is not None:
        resource = node.image_resource
        return resource.path.as_posix() if resource.path else (str(resource.url) if resource.url else None)
    return None


def _has_bytes(node: BaseNode) -> bool:
    if isinstance(node, ImageNode):
        return node.image is not None
    return isinstance(node, Node) and node.image_resource is not None and node.image_resource.data is not None


def _point_id(node: BaseNode) -> str:
    try:
        canonical = str(uuid.UUID(node.node_id))
    except ValueError:
        canonical = ""
    if canonical != node.node_id:
        raise StoreError(f"node id {node.node_id!r}", "a UUID in lower case with hyphens, as Qdrant keeps it")
    return canonical


def _require_finite(node_id: str, value: Any) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise StoreError(f"node {node_id} has metadata that is {value}", "finite numbers", "leave the field out")
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        _require_finite(node_id, child)
