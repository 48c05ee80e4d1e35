"""Formulas of Office documents as LaTeX, the form in which language models and readers know formulas as text.

Source: ISO/IEC 29500-1, chapter 22.1 (Office Math Markup Language).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

M: Final = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_MAX_DEPTH: Final = 50
_SIGN_TABLE: Final = r"""
α \alpha β \beta γ \gamma δ \delta ε \epsilon ϵ \epsilon ζ \zeta η \eta θ \theta κ \kappa λ \lambda μ \mu ν \nu
ξ \xi π \pi ρ \rho σ \sigma τ \tau φ \phi ϕ \phi χ \chi ψ \psi ω \omega Γ \Gamma Δ \Delta Θ \Theta Λ \Lambda Ξ \Xi
Π \Pi Σ \Sigma Φ \Phi Ψ \Psi Ω \Omega × \times ÷ \div ± \pm ∓ \mp · \cdot ∙ \cdot ⋅ \cdot ≤ \leq ≥ \geq ≠ \neq
≈ \approx ≡ \equiv ∞ \infty ∂ \partial ∇ \nabla ∈ \in ∉ \notin ⊂ \subset ⊆ \subseteq ∪ \cup ∩ \cap ∧ \wedge ∨ \vee
¬ \neg ∀ \forall ∃ \exists → \rightarrow ← \leftarrow ⇒ \Rightarrow ⇔ \Leftrightarrow … \ldots ℏ \hbar ° ^{\circ}
∝ \propto ∼ \sim ⟂ \perp ∅ \emptyset
"""
_SIGNS: Final = dict(zip(_SIGN_TABLE.split()[::2], _SIGN_TABLE.split()[1::2], strict=True))
_NARY: Final = {
    **{"∑": r"\sum", "∏": r"\prod", "∐": r"\coprod", "∫": r"\int", "∬": r"\iint", "∭": r"\iiint", "∮": r"\oint"},
    **{"∯": r"\oiint", "∰": r"\oiiint", "⋃": r"\bigcup", "⋂": r"\bigcap", "⋀": r"\bigwedge", "⋁": r"\bigvee"},
}
_ACCENTS: Final = {
    "\u0302": "hat",
    "\u0303": "tilde",
    "\u0304": "bar",
    "\u0305": "bar",
    "\u0307": "dot",
    "\u0308": "ddot",
    "\u20d7": "vec",
}
_FUNCTION_NAMES: Final = """
sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh log ln exp lim max min sup inf det dim gcd
"""
_FUNCTIONS: Final = frozenset(_FUNCTION_NAMES.split())
_BRACES: Final = {"⏟": "underbrace", "⏞": "overbrace"}


def latex(element: Any, depth: int = 0) -> str:
    """The formula under `element`, without dollar signs. Properties say nothing; what is unknown gives its content."""
    if depth > _MAX_DEPTH:
        return "".join(t.text or "" for t in element.iter(f"{M}t"))
    parts = []
    for child in element:
        if not isinstance(child.tag, str) or child.tag.endswith("Pr"):
            continue
        name = child.tag.removeprefix(M)
        if name == "t":
            parts.append(_signs(child.text or ""))
        elif name in _RULES:
            parts.append(_RULES[name](child, depth + 1))
        else:
            parts.append(latex(child, depth + 1))
    return "".join(parts)


def _part(node: Any, name: str, depth: int) -> str:
    found = node.find(f"{M}{name}")
    return latex(found, depth) if found is not None else ""


def _signs(text: str) -> str:
    return "".join(f" {_SIGNS[char]} " if char in _SIGNS else char for char in text)


def _property(node: Any, name: str, default: str) -> str:
    found = next((p for p in node.iterfind(f"{M}*/{M}{name}")), None)
    return default if found is None else found.get(f"{M}val", "")


_Rule: TypeAlias = Callable[[Any, int], str]


def _fraction(node: Any, depth: int) -> str:
    if _property(node, "type", "") == "noBar":
        return rf"\binom{{{_part(node, 'num', depth)}}}{{{_part(node, 'den', depth)}}}"
    return rf"\frac{{{_part(node, 'num', depth)}}}{{{_part(node, 'den', depth)}}}"


def _delimited(node: Any, depth: int) -> str:
    left, right = _property(node, "begChr", "("), _property(node, "endChr", ")")
    inner = _property(node, "sepChr", "|").join(latex(e, depth) for e in node.iterfind(f"{M}e"))
    braces = {"{": r"\{", "}": r"\}", "": "."}
    return rf"\left{braces.get(left, left)}{inner}\right{braces.get(right, right)}"


def _large(node: Any, depth: int) -> str:
    sign = _property(node, "chr", "∫")
    limits = "".join(
        f"{mark}{{{text}}}"
        for mark, text in (("_", _part(node, "sub", depth)), ("^", _part(node, "sup", depth)))
        if text
    )
    return f" {_NARY.get(sign, sign)}{limits} {_part(node, 'e', depth)}"


def _function(node: Any, depth: int) -> str:
    name = _part(node, "fName", depth).strip()
    word, rest = name, ""
    for mark in "_^":
        if mark in word:
            word, rest = word[: word.index(mark)], word[word.index(mark) :] + rest
    told = f"\\{word}" if word in _FUNCTIONS else rf"\operatorname{{{word}}}" if word.isalpha() else word
    return f" {told}{rest} {_part(node, 'e', depth)}"


def _accent(node: Any, depth: int) -> str:
    return rf"\{_ACCENTS.get(_property(node, 'chr', chr(0x302)), 'hat')}{{{_part(node, 'e', depth)}}}"


def _group(node: Any, depth: int) -> str:
    return rf"\{_BRACES.get(_property(node, 'chr', '⏟'), 'underline')}{{{_part(node, 'e', depth)}}}"


def _matrix(node: Any, depth: int) -> str:
    rows = (" & ".join(latex(e, depth) for e in row.iterfind(f"{M}e")) for row in node.iterfind(f"{M}mr"))
    return _rows(rows)


def _rows(rows: Any) -> str:
    return "\\begin{matrix}" + " \\\\ ".join(rows) + "\\end{matrix}"


_RULES: Final[dict[str, _Rule]] = {
    "f": _fraction,
    "sSup": lambda node, depth: f"{_part(node, 'e', depth)}^{{{_part(node, 'sup', depth)}}}",
    "sSub": lambda node, depth: f"{_part(node, 'e', depth)}_{{{_part(node, 'sub', depth)}}}",
    "sSubSup": lambda node, depth: (
        f"{_part(node, 'e', depth)}_{{{_part(node, 'sub', depth)}}}^{{{_part(node, 'sup', depth)}}}"
    ),
    "sPre": lambda node, depth: (
        f"{{}}_{{{_part(node, 'sub', depth)}}}^{{{_part(node, 'sup', depth)}}}{_part(node, 'e', depth)}"
    ),
    "rad": lambda node, depth: (
        rf"\sqrt[{deg}]{{{_part(node, 'e', depth)}}}"
        if (deg := _part(node, "deg", depth))
        else rf"\sqrt{{{_part(node, 'e', depth)}}}"
    ),
    "nary": _large,
    "d": _delimited,
    "func": _function,
    "limLow": lambda node, depth: f"{_part(node, 'e', depth)}_{{{_part(node, 'lim', depth)}}}",
    "limUpp": lambda node, depth: f"{_part(node, 'e', depth)}^{{{_part(node, 'lim', depth)}}}",
    "acc": _accent,
    "bar": lambda node, depth: rf"\overline{{{_part(node, 'e', depth)}}}",
    "groupChr": _group,
    "m": _matrix,
    "eqArr": lambda node, depth: _rows(latex(e, depth) for e in node.iterfind(f"{M}e")),
}
