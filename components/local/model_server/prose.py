"""Rate how well a sentence reads without its context."""
# ruff: noqa: RUF001  # full-width punctuation and Cyrillic letters are meant

import re

from components.local.model_server.sentences import CJK, Sentence

_LEGAL_OR_EDITORIAL = r"""
    copyright | © | \(c\)\s | all\ rights\ reserved | licen[sc]ed?\ under | redistribut | isbn\b
  | permission\ is\ hereby | without\ (?:any\ )?warrant | table\ of\ contents | pull\ request
  | all\ notable\ changes
  | \b(?:thanks? | grateful | acknowledge | credit)\b | last\ (?:updated|modified) | click\ here
  | for\ (?:more|further|additional)\ (?:information|details)
"""
_ADDRESS_OR_CODE = r"""
    https?:// | www\. | \S@\S+\.\w | [{}<>=|\\`] | \w\(\) | \w_\w | :: | --\w | (?:^|\s)[/~$]\w
  | \w/\w+/
"""
_FOOTNOTE = r"\[\d+\] | \[\w+\d+\]"
_ELSEWHERE = r"""
    \b(?:section|chapter|figure|fig|table|above|below|following|appendix)\b
"""
_POINTER = r"""
    ^\W*please\b | \b(?:see | visit | refer\ to | check\ out | head\ over | to\ learn
  | to\ contribute | as\ follows | for\ an?\ (?:example|overview|description|list))\b
  | 下列 | 以下 | 如下
"""
_SUBJECT = r"""
    (?:document | paper | report | article | guide | manual | specification | standard | policy
  | book | study | project | library | package | license | agreement | appendix | chapter
  | essay | text | reference | handbook | tutorial | survey | review | proposal | contract
  | memo | plan | analysis | thesis)\b
"""
_LEANS_BACK = rf"""
    ^\W*(?:it | they | he | she | his | her | its | their | such | however | but | and | or | so
  | then | therefore | thus | hence | also | moreover | furthermore | additionally | instead
  | otherwise | nevertheless | still | yet | similarly | likewise | consequently | accordingly
  | finally | both | another | others? | some | again | here | there | note | well | ok | now
  | after\ all | as\ such | if\ (?:it|they|so|not|this|that) | most\ of\ (?:it|them|these)
  | among\ (?:these|those) | for\ (?:example|instance) | as\ a\ result | on\ the\ other
  | in\ (?:addition|turn|fact|any\ case|contrast|this|that)
  | the\ (?:other|latter|former|same|second|third) | second(?:ly)? | third(?:ly)? | where | which
  | whose | that | these | those | this(?!\ (?:\w+\ )?{_SUBJECT})
  | er | sie | es | dies\w* | aber | doch | dazu | dabei | damit | außerdem | dort | hier
  | dann | это\w* | эт[аи] | он[аио]? | но | однако | также | кроме\ того | далее | затем
  | поэтому | ce | cette | ces | cela | il | elles? | ils | mais | ainsi | enfin
  | ensuite | puis | c['’]est | deshalb | daher | jedoch | zudem
  | esto | este | esta | pero | además)\b
  | ^(?:这 | 此外 | 另外 | 但是? | 因此 | 所以 | 然而 | 它 | 他 | 她 | 其
  | また | しかし | そして | これ | それ | この(?!文書|資料|論文) | その | ただし)
"""
_LEANS_A_LITTLE = r"""
    \b(?:however | these | those | this | such | the\ (?:latter|former)
  | that\ (?:time|day|case|method|package|element|file|reason|way))\b
"""
_QUESTION = r"\? | ？ | (?:…|\.\.\.)\W*$"
_EXCLAMATION = r"[!！]\W*$"
_HEADING = r"""
    ^\W*\d+(?:\.\d+)*\.?\s+[A-Z]\w+(?:\s+\S+){0,7}$ | \b[A-Z]\.\d+\.?$ | [^\W\d]\d+\.\d+\.?$
  | ^\W*\d+\.\d+\.\d+\.?\s
"""
_FINITE_VERB = r"""
    \b(?:is | are | was | were | has | have | had | does | do | did | can | could | may | might
  | must | should | will | would | isn't | aren't | doesn't | don't | cannot | can't | won't | it's
  | ist | sind | war | waren | wird | werden | wurden? | hat | haben | kann | können | muss
  | est | sont | était | peut | ont | son | fue | puede)\b
"""
_SAYS_WHAT_IT_IS = rf"""
    ^\W*(?:this|the|our)\ (?:\w+\ )?{_SUBJECT}
  | ^\W*(?!here|there|this|these|those|it\b|they)(?:[\w'-]+\W+){{1,7}}
    (?:is|are)\ (?:an? | the | one\ of | designed | intended | used)\b
  | \b(?:purpose | in\ summary | in\ conclusion | we\ (?:show|propose|conclude|find|present)
  | designed\ to | intended\ to | aims?\ to | describes? | introduces? | most\ important)\b
  | この文書 | 本書 | 本文档 | 本文介绍
"""

_FACTORS = [
    (re.compile(pattern, re.VERBOSE | re.IGNORECASE), factor)
    for pattern, factor in [
        (_LEGAL_OR_EDITORIAL, 0.3),
        (_ADDRESS_OR_CODE, 0.3),
        (_FOOTNOTE, 0.7),
        (_ELSEWHERE, 0.6),
        (_POINTER, 0.5),
        (_LEANS_BACK, 0.5),
        (_LEANS_A_LITTLE, 0.85),
        (_QUESTION, 0.4),
        (_EXCLAMATION, 0.7),
        (_HEADING, 0.08),
        (_FINITE_VERB, 1.2),
        (_SAYS_WHAT_IT_IS, 1.3),
    ]
]
_UNREADABLE = 0.1
_KANA = re.compile(r"[\u3040-\u30ff\uff66-\uff9f]")
_UNSPACED = re.compile(f"[{CJK}]")
_CYRILLIC = re.compile(r"[\u0400-\u052f]")


def readability(sentence: Sentence) -> float:
    """Rate how well a sentence reads without its context: 0 is no prose, about 1 is good."""
    text = sentence.text
    length = words(text)
    if not sentence.whole or not 2 <= length <= 60 or len(text) > 600:
        return 0.0
    if sum(c.isalpha() or c.isspace() for c in text) < 0.75 * len(text):
        return 0.0
    worth = (1.0 if 10 <= length <= 32 else 0.75) if 8 <= length <= 40 else 0.35
    for pattern, factor in _FACTORS:
        if pattern.search(text):
            worth *= factor
    parts = text.split()
    titled = sum(part[:1].isupper() for part in parts[1:]) > len(parts) / 2
    lopsided = text.count("(") != text.count(")") or text.count('"') % 2 == 1
    hollow = re.search(r"([\"“”])\1|\(\s*\)", text)  # a glyph that the PDF could not name
    worth *= 0.2 if titled else 1
    worth *= 0.6 if lopsided or hollow else 1
    worth *= 0.6 if sentence.listed else 1.15 if sentence.opens else 1
    worth *= 0.8 if text[0].islower() else 1
    return worth if worth > _UNREADABLE else 0.0


def words(text: str) -> float:
    """Count words; where a script has no spaces, estimate them from the characters."""
    kana = len(_KANA.findall(text))
    ideographs = len(_UNSPACED.findall(text)) - kana
    return len(_UNSPACED.sub(" ", text).split()) + 0.6 * ideographs + 0.3 * kana


def script(text: str) -> str:
    """The script of `text`, as far as a summary must not mix scripts."""
    for name, letters in (("cjk", _UNSPACED), ("cyrillic", _CYRILLIC)):
        if len(letters.findall(text)) > len(text) / 5:
            return name
    return "other"
