"""Which folder holds which split, under the names that people give them, in their languages.

Knows names only.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

_CALLED = {
    "train": "train training trn trainval learn entrenamiento entrenar entraînement apprentissage "
    "treino treinamento treinar treinamentos addestramento allenamento trein trénink trening "
    "обучение тренировка eğitim latihan 训练 訓練 学習 學習 학습 훈련",
    "val": "val valid validate validation dev development validación validar validação validazione "
    "convalida validierung validatie walidacja валидация doğrulama validasi 验证 驗證 検証 검증",
    "test": "test testing tst prueba pruebas probar teste testes testar essai prova prove toets "
    "prüfung тест тестирование uji 测试 測試 テスト 테스트 시험",
    "eval": "eval evaluation holdout evaluación évaluation avaliação valutazione auswertung 评估 "
    "評価 평가",
}
"""Split -> the words for it; `eval` is whichever of val and test is missing."""

_FILLING_WORDS = (
    "set data dataset images imgs image img split folder seg de d di datos conjunto imágenes dados "
    "imagens données jeu dati immagini daten bilder данные выборка 数据 数据集 データ 데이터"
)
_ENDINGS = "set data images sdaten daten sbilder bilder 集 数据 数据集 用 データ 데이터"

_WORD = re.compile(r"[^\W\d_]+")


def splits_named(names: Iterable[str]) -> dict[str, str]:
    """Return train, val, test or eval for every folder's name that is a split's.

    Case, accents, numbers and words such as `set` or `images` do not count: `Train`,
    `training_set`, `val2017`, `validación`. Nor does what all splits have in common: `pets-train`
    and `pets-test`.

    Args:
        names: of folders that lie side by side.
    """
    words = {name: _words(name) for name in names}
    called = [set(found) - _NAMES.keys() for found in words.values() if _NAMES.keys() & found]
    shared = set.intersection(*called) if len(called) > 1 else set()
    left = {name: [w for w in found if w not in shared] for name, found in words.items()}
    return {
        name: _NAMES[found[0]]
        for name, found in left.items()
        if len(found) == 1 and found[0] in _NAMES
    }


@lru_cache
def split_of(name: str) -> str | None:
    """Return the split that a folder's name alone stands for, as `splits_named`; None if none."""
    return splits_named([name]).get(name)


def _folded(text: str) -> str:
    """Return the text without case and accents, in one Unicode form."""
    letters = unicodedata.normalize("NFD", text.casefold())
    bare = "".join(c for c in letters if unicodedata.category(c) != "Mn")
    return unicodedata.normalize("NFC", bare)


def _words(name: str) -> list[str]:
    """Return the words of a name but those that say nothing, each without such an ending."""
    words = [word for word in _WORD.findall(_folded(name)) if word not in _FILLING]
    return [next((b for b in _beginnings(word) if b in _NAMES), word) for word in words]


def _beginnings(word: str) -> Iterable[str]:
    yield word
    yield from (word.removesuffix(ending) for ending in _ENDING_WORDS)


_NAMES = {_folded(word): split for split, words in _CALLED.items() for word in words.split()}
_FILLING = frozenset(_folded(_FILLING_WORDS).split())
_ENDING_WORDS = _folded(_ENDINGS).split()
