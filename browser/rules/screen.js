/* What may go to the model, decided before it is asked. As mathtutor/tutoring/screen.py: rules refuse only what is certain. */

import { decimalOf, pattern } from "./patterns.js";

export const MAX_CHARS = 2000;
export const [OK, EMPTY, TOO_LONG, TOO_SHORT, PICTURE] = ["ok", "empty", "too long", "too short", "picture"];
export const [NOT_A_PROBLEM, NO_QUESTION, LANGUAGE] = ["not a problem", "no question", "language"];
export const [NO_VALUE, WORRY, PERSONAL] = ["no value", "worry", "personal"];

const VERBOSE = { ignoreCase: true, verbose: true };

const WORRIES = pattern(
  String.raw`\b(?:
      (?:kill|hurt|harm|cut|cutting|hurting|killing) \s+ my \s? sel(?:f|ves)
    | (?:want|wanna|going|gonna|like|wish (?:ed)?) \s+ (?:to\s+|i\s+(?:could|would)\s+)?
      (?:die|be\s+dead) (?!\s+of\s+laughter)
    | wish \s+ i \s+ (?:was|were) \s+ (?:dead|never\s+born)
    | (?:end|ending|take|taking) \s+ my \s+ (?:own\s+)? life
    | (?:do\s+not|don'?t|dont) \s+ want \s+ to \s+ (?:live|be\s+alive|wake\s+up)
    | suicid(?:e|al) | self[\s-]?harm(?:ing|ed)?
    | beats \s+ me \s+ (?:up|with|when|until|if|because|every)
    | (?:want|going|need|like|about|trying|have) \s+ to \s+ kms | (?:gonna|wanna|gotta|will|'?ll|should|might|just) \s+ kms
    | hits \s+ me (?!\s+ with \s+ (?:a\s+)? (?:\w+\s+)? (?:snowballs?|water\s+balloons?|pillows?|balls?)\b)
    | (?<!\bit\s) hurts \s+ me
    | (?:touches|touched|abuses|abused|abusing|molests?|molested|rapes?|raped) \s+ me
    | (?:being|been|am|was) \s+ (?:sexually\s+)? (?:abused|molested|raped)
    | afraid \s+ (?:to\s+go|of\s+going) \s+ home
    | (?:nobody|no\s+one) \s+ (?:would|will) \s+ (?:miss \s+ me | care \s+ if \s+ i)
    # in Spanish, for children who speak it type here too
    | (?:me\s+)? quiero \s+ (?:morir(?:me)? (?!\s+de\s+risa) | matar(?:me)? | estar \s+ muert[oa])
    | (?:a|quiero|quisiera|ganas\s+de) \s+ (?:matarme | morirme (?!\s+de\s+risa)) | suicid(?:arme|io|arse)
    | no \s+ quiero \s+ (?:vivir|seguir\s+viv(?:iendo|[oa])|despertar(?:me)?) (?!\s+(?:en|con|cerca|lejos|a)\b)
    | (?:quitarme \s+ la | acabar \s+ con \s+ mi) \s+ vida | hacerme \s+ da[ñn]o
    | mi \s+ (?:pap[áa]|padre|padrastro|mam[áa]|madre|madrastra|hermano|t[íi]o|t[íi]a|abuelo|primo)
      \s+ me \s+ (?:pega|golpea|viola|maltrata)
    | (?:abusa(?:ron)?|abus[óo]) \s+ de \s+ m[íi]
    )\b
    # kms, "kill myself", is a distance too: alone, or with a will before it, it is none
    | ^ \W* kms \b (?! \s* (?:=|\w*\s*\d) )`,
  VERBOSE,
);

const APOSTROPHES = /[\u2018\u2019\u02bc\u02b9\u00b4\u2032\uff07`]/g;

const ABOUT_ONESELF = pattern(
  String.raw`
      [\w.+-]{1,64} @ [\w-]{1,64} \. [a-z]{2,}
    | (?<![\d.,]) (?:\+\d{1,3}[\s.-]?)? (?:\(\d{3}\)\s?|\d{3}[.-]) \d{3}[.-]\d{4} (?![\d.,]\d)
    | (?<![\d.,)]) \+\d{1,3}[\s.-]?\d{2,4}(?:[\s.-]?\d{2,4}){2,3} (?!\d)           # not the second number of a sum
    | \b my \s+ (?:full\s+|real\s+|last\s+)? name (?:\s+is|\s*'s) \s+ \w
    | \b my \s+ (?:home\s+)? (?:phone(?:\s+number)?|telephone|mobile|cell|address|e-?mail|password) \s* (?:is|:) \s*
      (?! \d{1,3} \s* (?:[.?!]|$)) \S                                    # a bare house number is in many a riddle
    | \b (?:call|text|phone) \s+ me \s+ (?:at|on) \s+ \+?\(?\d (?:[\s().-]*\d){4}
    | \b i \s+ live \s+ (?:at|on) \s+ \d+ \s+ \w+
    `,
  VERBOSE,
);

const SHOWS_A_PICTURE = pattern(
  String.raw`\b(?:see|look at|in|from|use|using) the (?:picture|figure|diagram|image|photo|graph|chart)\b` +
    String.raw`|\b(?:figure|diagram|picture|graph) (?:below|above)\b`,
  { ignoreCase: true },
);

const ASKS_FOR_A_NUMBER = pattern(
  String.raw`\bhow (?:many|much|long|far|old|tall|fast|often|big|heavy|wide|high|deep|late|soon)\b` +
    String.raw`|\bwhat (?:is|are|was|were|will|would|percent\w*|fraction|number|time|age)\b|\bsolve\b|\bcalculate\b|\bfind\b`,
  { ignoreCase: true },
);

const OFF_SCOPE = pattern(
  String.raw`\b(?:ignore|forget|disregard) \s+ (?:\w+\s+){0,3} (?:instructions?|prompts?|rules)\b
    | ^\W* (?:please\s+|can\s+you\s+|could\s+you\s+|will\s+you\s+)?
      (?:write|tell|make|sing|draw|translate|summari[sz]e|generate|compose|create)
      \s+ (?:\w+\s+){0,4} (?:essay|poem|story|joke|song|code|program|script|e-?mail|letter|rap|recipe|picture|homework)s?\b
    | ^\W* (?:who|what) \s+ are \s+ you\b
    | \b(?:system \s+ prompt|jailbreak|pretend \s+ (?:to\s+be|you\s+are))\b
    `,
  VERBOSE,
);

// Small words that are common in one language and no words in the other.
const ENGLISH = pattern(
  String.raw`\b(?:the|of|and|to|is|are|have|had|how|what|if|for|at|she|they|it|we|you|each|more|many|much|from|with|by|find|than|that|` +
    String.raw`this|there|does|did|buys?|has|altogether|left|now|solve|answer|equals?|plus|minus|times)\b`,
  { ignoreCase: true },
);
const FOREIGN = pattern(
  String.raw`\b(?:el|la|los|las|un|una|y|que|tiene|compra|cu[aá]ntas?|cu[aá]ntos?|m[aá]s|le|les|des|et|combien|possède|lui|reste|il|ils|elle|` +
    String.raw`der|das|und|ist|sind|wie|viele|hat|noch|liegen|kauft|nimmt|von|den|einem|einer|gli|sono|quanti|quante|ogni|che|ha|het|een|` +
    String.raw`hoeveel|heeft|os|um|uma|quantos|quantas|tem)\b`,
  { ignoreCase: true },
);

const NUMBER_WORD = pattern(
  String.raw`\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|` +
    String.raw`seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand|dozens?|` +
    String.raw`half|halves|third|quarters?|twice|double|triple|pairs?)\b`,
  { ignoreCase: true },
);

// "5/0", "What is (3 + 4) ÷ 0?": nothing but a sum. A story in which somebody gets 0 of something is a story.
const DIVIDES_BY_ZERO = pattern(
  String.raw`(?:what(?:'s|\s+is)|how much is|calculate|solve|find)?[\s:]*(?=\S)[\d\s.+*()x×−-]+(?:[/÷]|divided by)\s*0(?:\.0*)?[\s)=?.!]*`,
  { ignoreCase: true },
);
// "12 + 5" and "3x + 7 = 22" are whole; "5" and "apples 5" are not.
const IS_A_SUM = pattern(
  String.raw`\d\s*[a-z)]?\s*[-+*/=×÷^−]|\d\s*%\s*of\s*\d|\d\s+(?:x|plus|minus|times|multiplied by|divided by)\s+\d`,
  { ignoreCase: true },
);

// Any way to ask for something.
const ASKS = pattern(
  String.raw`\?|=\s*$|\b(?:how|what|which|who|whose|when|where|find|solve|calculate|compute|determine|work (?:it )?out|figure (?:it )?out|give|tell|` +
    String.raw`estimate|simplify|evaluate|convert|change|write|show|express|count|name|state|list|add|subtract|multiply|divide|round|decide|compare|` +
    String.raw`prove|disprove|verify|explain|justify|deduce|factori[sz]e|expand|arrange|choose|complete|describe|` +
    String.raw`(?:needs?|wants?|like) to know|wonder\w*|help)\b`,
  { ignoreCase: true },
);

// No control characters, and no marks that reorder or hide the text around them. The joiner U+200D stays: emoji are built with it.
const DROPPED = /[\p{Cc}\p{Cs}\p{Cn}\p{Co}\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/u;

/** `text` as one plain string: NFC, ASCII digits, no control or direction-changing characters. */
export function clean(text) {
  return text
    .slice(0, 4 * MAX_CHARS)
    .replace(/\r\n?/g, "\n")
    .normalize("NFC")
    .replace(/[^\n\t\x20-\x7e]/gu, (char) => (DROPPED.test(char) ? "" : /\p{Nd}/u.test(char) ? decimalOf(char) : char))
    .trim();
}

/** {problem, finding}: the cleaned text where the finding is OK, else "": refused text goes nowhere. */
export function screen(text) {
  if ([...text].length > MAX_CHARS) return { problem: "", finding: TOO_LONG };
  const problem = clean(text);
  const finding = findingOf(problem);
  return { problem: finding === OK ? problem : "", finding };
}

function findingOf(problem) {
  if (!/[\p{L}\p{N}]/u.test(problem)) return EMPTY;
  const straight = problem.replace(APOSTROPHES, "'");
  if (WORRIES.search(straight)) return WORRY;
  if (ABOUT_ONESELF.search(straight)) return PERSONAL;
  if (OFF_SCOPE.search(problem) && !ASKS_FOR_A_NUMBER.search(problem)) return NOT_A_PROBLEM;
  if (!/\p{N}/u.test(problem) && !NUMBER_WORD.search(problem)) return SHOWS_A_PICTURE.search(problem) ? PICTURE : TOO_SHORT;
  if (FOREIGN.all(problem).length >= Math.max(3, 2 * ENGLISH.all(problem).length)) return LANGUAGE;
  if (DIVIDES_BY_ZERO.fullmatch(problem)) return NO_VALUE;
  const isSum = IS_A_SUM.search(problem);
  if (problem.split(/\s+/).length < 5 && !isSum) return TOO_SHORT;
  if (!isSum && !ASKS.search(problem)) return NO_QUESTION;
  return OK;
}
