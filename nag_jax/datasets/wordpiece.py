"""The tokenizer of uncased BERT models: words, and the longest known pieces of unknown words.

Source: Devlin et al. (NAACL 2019), whose vocabulary file names one token per line; its number is the line's. Names of
classes are a few words, so plain Python is fast enough and the package needs no tokenizer of its own.
"""

import unicodedata
from collections.abc import Mapping
from pathlib import Path

from nag_jax.system.errors import InputError

_LONGEST_WORD = 100


def read_vocabulary(path: Path) -> dict[str, int]:
    """Token numbers by piece.

    Raises:
        InputError: the file is missing, or isn't such a vocabulary.
    """
    try:
        pieces = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} can't be read as a vocabulary ({error}): install its package again") from error
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    for special in ("[UNK]", "[CLS]", "[SEP]"):
        if special not in vocabulary:
            raise InputError(f"{path} isn't a BERT vocabulary, {special} is missing: install its package again")
    return vocabulary


def tokenize(text: str, vocabulary: Mapping[str, int], *, max_tokens: int) -> list[int]:
    """Token numbers of a text, with its opening [CLS] and closing [SEP]; what is too long is cut."""
    tokens = [token for word in _words(text) for token in _pieces(word, vocabulary)]
    return [vocabulary["[CLS]"], *tokens[: max_tokens - 2], vocabulary["[SEP]"]]


def _words(text: str) -> list[str]:
    """Lower case without accents; punctuation and ideographs stand alone, control characters are dropped."""
    out: list[str] = []
    for char in unicodedata.normalize("NFD", text.lower()):
        category = unicodedata.category(char)
        if char.isspace():
            out.append(" ")
        elif _is_punctuation(char, category) or _is_ideograph(char):
            out.append(f" {char} ")
        elif category[0] != "C" and category != "Mn":
            out.append(char)
    return "".join(out).split()


def _is_punctuation(char: str, category: str) -> bool:
    """Unicode's, and every ASCII character that is neither letter nor digit, as `^` and `$`."""
    return category[0] == "P" or ("!" <= char <= "~" and not char.isalnum())


def _is_ideograph(char: str) -> bool:
    return any(low <= ord(char) <= high for low, high in ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF)))


def _pieces(word: str, vocabulary: Mapping[str, int]) -> list[int]:
    """The longest known piece from the left, again and again; later pieces are marked ##."""
    tokens, start = [], 0
    while start < len(word) <= _LONGEST_WORD:
        prefix = "##" if start else ""
        end = next((end for end in range(len(word), start, -1) if prefix + word[start:end] in vocabulary), start)
        if end == start:
            return [vocabulary["[UNK]"]]
        tokens.append(vocabulary[prefix + word[start:end]])
        start = end
    return tokens or [vocabulary["[UNK]"]]
