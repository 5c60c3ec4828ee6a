"""The phrases that the language rules look for, family by family; the family is the reason that a rule gives.

    RESIDUE["self_correction"].search("Wait, let me recheck that.")      # a match
    unsafe("The toy gun costs $3.")                                      # None: a toy gun harms nobody

Each alternative stands on its own line. What fires on a right row of GSM8K train or of the labelled set has been
narrowed until it fires on less than one row in a hundred.
"""

from __future__ import annotations

import re

from pipeline.gates import gate_of, lowered
from pipeline.reading import UNSAFE


def _any(*alternatives: str, flags: int = re.IGNORECASE | re.MULTILINE) -> re.Pattern[str]:
    return re.compile("|".join(alternatives), flags)


def _words(*alternatives: str) -> re.Pattern[str]:
    """Whole words only."""
    return re.compile(rf"\b(?:{'|'.join(alternatives)})\b", re.IGNORECASE)


# --- what the writer of a chat leaves behind ----------------------------------------------------------------

_CASED = re.MULTILINE

RESIDUE: dict[str, re.Pattern[str]] = {
    "self_reference": _any(
        r"\bas an? (?:AI\b|artificial intelligence|(?:large )?language model|(?:virtual|helpful) assistant)",
        r"\b(?:large )?language models?\b",
        r"\bAI (?:assistant|model|language)\b",
        r"\bI(?:['’]m| am) (?:an? (?:AI\b|(?:\w+ )?assistant|chatbot)|Claude|ChatGPT|Gemini|here to help|designed to)",
        r"\b(?:ChatGPT|OpenAI|Anthropic|DeepSeek|Qwen)\b",
        r"\bmy (?:training data|knowledge cutoff|training|programming|creators|developers)\b|\bGPT-?\d|\bLLMs?\b",
        r"\b(?:generated|written|created|produced|solved) by (?:an? )?(?:AI\b|GPT|LLM|(?:language )?model|chatbot|Claude\b|assistant)",
        r"\bas (?:your|an?) (?:\w+ )?(?:assistant|tutor bot|chatbot|bot|AI)\b",
    ),
    "opener": _any(
        r"^(?:sure|certainly|of course|absolutely|great|okay|ok|alright|all right|got it|no problem|perfect|understood|"
        r"definitely|sure thing|"
        r"gladly|here you go)\b ?[,!.:–-]+ (?:so|let|here|I|we|this|that|now|first|to|then|a|an|one|the (?:problem|answer|"
        r"solution|question)|step)\b",
        r"^(?:sure|certainly|of course|absolutely)\b[^.?!]{0,40}\b(?:here|let|I)\b",
        r"^here(?:['’]s| is| are)\b[^.?!]{0,60}\b(?:problem|question|solution|answer|example|breakdown|explanation|story|step|"
        r"method)s?\b",
        r"^below (?:is|are)\b|^(?:in|for) (?:this|our|my|the following) (?:example|problem|scenario|exercise|task)\b",
        r"^(?:hi|hello|hey|welcome|greetings)(?: there\b|(?: everyone| kids| friends| students| again)?!)",
        r"\blet me (?:now )?(?:just )?(?:compute|calculate|work|figure|break|explain|solve|begin|start|walk|show you|write|"
        r"set|see if|create|give you|help)",
        r"\bI(?:['’]ll| will|['’]m going to| need to| have to| should| can| must| want to) (?:now )?(?:figure out|calculate|"
        r"compute|determine|multiply|"
        r"subtract|divide|solve|double-check|work (?:it |this )?out|break|explain)\b",
        r"^(?:I['’]ll|I will|I can|I['’]d be (?:happy|glad) to) (?:show|walk|help|start|create|write|provide|go)\b",
        r"^(?:what an? |that['’]s an? )?(?:great|good|nice|excellent|interesting) (?:question|problem|one)\b",
        r"^(?:now,? |first,? |okay,? )?let[’']?s (?:solve|break|think|work through|tackle|dive|go through|analy[sz]e|take it|"
        r"walk|get started|begin)\b",
        r"^(?:in order )?to (?:solve|answer|tackle) (?:this|the) (?:problem|question)\b",
        r"^(?:we can|we will|let us) (?:solve|break|tackle) (?:this|the|it)\b",
    ),
    "refusal": _any(
        r"\bI(?:['’]m| am) (?:sorry|afraid|unable|not able)\b",
        r"\b(?:I|we) (?:cannot|can['’]t|won['’]t|am unable to) (?:help|assist|provide|solve|answer|create|generate|comply|"
        r"determine|fulfil|complete|continue)",
        r"\bI apologi[sz]e\b|\bmy apologies\b|\bapologies for\b",
        r"\b(?:against|violates?) (?:my|our|the) (?:guidelines|polic(?:y|ies)|content)",
        r"\bnot appropriate for me\b|\bI (?:don['’]t|do not) have (?:access|enough information)\b",
    ),
    "self_correction": _any(
        r"(?:^|[.?!\"“(:;—–-] ?)(?:Wait|Hmm+|Hm|Oops|Uh-oh|Scratch that|"
        r"Correction|Hold on|Whoops)\b ?(?:[,.!:…—–-]|no\b|"
        r"that\b|I\b|actually\b|this\b)",
        r"\b(?:[Nn]o|[Oo]h),? wait\b|\b(?:[Ii]s|[Dd]oes) (?:that|this|it) (?:make sense|look right|seem right|add up|correct|"
        r"right)\?",
        r"\b(?:[Oo]n second thought|[Ss]cratch that|[Cc]ome to think of it)\b",
        r"\b[Ll]et (?:me|us) (?:re|check|double|try|fix|correct|think|verify|start over|adjust|redo)",
        r"\b[Ll]et[’']s (?:adjust|re-?(?:check|consider|calculate|compute|do|read|vise|think|phrase|start|write|examine|"
        r"visit)|double[- ]check|"
        r"try (?:again|different|other|another)|fix|correct|verify|change the)",
        r"\b[Mm]y (?:mistake|bad|error)[,.!;:—–-]",
        r"\bI (?:made|see|found|notice) (?:a|an|my|the|that) (?:\w+ )?(?:mistake|error)",
        r"\bI (?:mis(?:read|calculated|counted|took|understood)|should have|need to (?:adjust|revise|change|re)|forgot to|"
        r"previously|was wrong)",
        r"\b(?:[Tt]his|[Tt]hat) (?:doesn[’']t|does not|isn[’']t|is not|can[’']t be|cannot be) (?:quite )?"
        r"(?:work out|work|right|correct|make sense|add up|an integer|a whole number|match)\b",
        r"\b(?:[Tt]his|[Tt]hat) (?:is|seems|looks) (?:not right|wrong|incorrect|off)\b",
        r"\b[Aa]ctually, (?:let|that|this|no|I|we|it|the (?:correct|problem|question|right|answer))\b",
        r"\b(?:come|comes|work|works) out (?:evenly|nicely|whole|to a whole)\b|\b[Ww]e (?:take|use|change it to) \d+ (?:\w+ )?instead of \d",
        r"\b[Ss]o (?:I|we)(?:['’]ll| will)? (?:change|adjust|replace|swap) \d|\b(?:[Gg]ood catch|[Yy]ou(?:['’]re| are) (?:absolutely )?right)\b",
        r"\b(?:[Rr]e-?check|[Rr]ecalculat(?:e|ing)|[Dd]ouble[- ]check)",
        flags=_CASED,
    ),
    "prompt_leakage": _any(
        r"few-?shot|\bseed (?:problem|question)|gsm-?8k|\bJSON\b|\b(?:seed|variation|variant) #?(?:\d+|[A-Z]\b)|\b(?:output|"
        r"response|answer) format\b",
        r"\bthe user (?:wants|asks|asked|is asking|needs|said|says|requested|has asked|would like)\b",
        r"\b(?:examples?|problems?|questions?) (?:above|provided|you (?:gave|provided))\b",
        r"\b(?:[Pp]er|[Ff]ollowing|[Aa]ccording to) (?:the|your|my) (?:instructions?|guidelines|prompt|task description)\b",
        r"\b(?:mirrors?|mirroring|imitates?) (?:the )?(?:structure|format|style|pattern|wording)\b",
        r"\b(?:sample|reference|source|template) (?:problem|question|solution)s?\b|\bsystem message\b",
        r"\b(?:answer|solution|output|steps|problem|question) (?:field|column|tag|string)\b|\bthe (?:schema|JSON object)\b",
        r"\bas (?:requested|instructed|per your)\b|\byour (?:request|instructions?|prompt)\b",
        r"\bthe (?:system |user )?prompt\b",
        r"</?think(?:ing)?>|<\|\w+\|>|\[/?INST\]|\{\{|\}\}",
        r"^\W{0,3}(?:generate|create|rewrite|rephrase|continue|translate|prompt)\s*:|\bkeywords?\b|\bno need to (?:state|"
        r"mention|explain|say)\b",
        r"\b(?:this is|here is) (?:problem|question|exercise|task|example) (?:number|no\.?|#)? ?\d",
        r"^[ \t]{0,9}(?:human|assistant|user|system|AI|bot|student|tutor|teacher|Q|A)\s*:",
        r"^\W{0,3}(?:problem|question|example|exercise|variation|output|input|response|instruction|word problem|"
        r"new problem)s?\s*(?:#?\d+)?\s*[:.)]",
        r"\"(?:problem|question|answer|solution|steps)\"\s*:",
        r"\b(?:new|similar|original|modified|rewritten|rephrased) (?:word |math )?(?:problem|question)\b|\b(?:modified|"
        r"rewritten|rephrased) version\b",
        r"\bsame (?:structure|format|style|pattern) as\b",
        r"\b(?:given|specified|required|requested) (?:constraints|requirements|format|criteria|topic|number of steps)\b",
    ),
    "instruction_to_a_model": _any(
        r"\b(?:ignore|disregard|override|bypass|forget) (?:(?:all|any|every|everything|of|the|these|those|your|my|other) ){0,4}"
        r"(?:previous|prior|above|earlier|preceding|foregoing|system|original)\b",
        r"\b(?:ignore|disregard|override|bypass) (?:(?:all|any|the|these|those|your|my|other) ){0,3}(?:instructions?|prompts?|guidelines)\b",
        r"\byou are (?:now|no longer) (?:an? )?(?:\w+ )?(?:AI|assistant|DAN|chatbot|bot|model|unrestricted|in \w+ mode)\b",
        r"\b(?:reveal|print|repeat|show|leak|output) (?:me )?(?:your|the) (?:\w+ )?(?:system prompt|prompt|instructions)\b",
        r"\b(?:reply|respond|answer|output|say|write) (?:only )?(?:with )?[\"'“]?(?-i:[A-Z]{4,})\b",
        r"\bjail ?break\w*|\bdeveloper mode\b|\bnew instructions? ?:|\bfrom now on,? you (?:are|will|must)\b",
    ),
    "placeholder": _any(
        r"\[(?:insert|your|[Nn]ame|names?|number|item|object|place|city|amount|value|answer|blank|"
        r"\d+ ?words?)\b[^\]\n]{0,40}\]|\[[A-Za-z]\]",
        r"\b(?:TODO|TBD|FIXME|XX+|NaN|undefined)\b|\bN/A\b|_{3,}|\?{3,}|(?i:lorem ipsum)",
        r"\[[A-Z][A-Z_ ]{1,30}\d?\]|<[A-Z_]{2,20}\d?>|\bINSERT\b",
        r"\[[a-zA-Z][a-z '’-]{2,30}\]|<(?:name|number|item|object|answer|value|place|city|amount)s?\d?>|\{[a-zA-Z_]+\d?\}|"
        r"%[sd]\b|\b[A-Z]{3,}_[A-Z0-9]+\b",
        flags=_CASED,
    ),
    "markup": _any(
        r"\*\*|####|```|<<[^<>\n]*>>|\$\$|\$[a-z]\$",
        r"^[ \t]{0,9}(?:#{1,6}|[*•‣▪●])\s|^\*[^\n]{1,300}\*$",
        r"^[ \t]{0,9}[-–] [a-z]|^-{3,}$|^[ \t]{0,9}\|[^\n]{1,300}\|[ \t]{0,9}$|^[ \t]{0,9}>\s",
        r"\\(?:boxed|d?frac|text|times|cdot|div|left|right|sqrt|begin|end|quad|approx|[()\[\]])",
        r"</?(?:b|br|i|u|p|em|ul|li|ol|div|span|strong|table|sup|sub|h\d)\s*/?>|&(?:nbsp|amp|lt|gt|quot|times|#\d+);",
        r"</?[a-z][a-z0-9]{0,20}(?:\s[^<>\n]{0,300})?/?>|<!--|\bjavascript:|&lt;",
        r"^step \d+\s*[:.)-]|^\(?\d{1,2}[.)] [A-Z]|`[^`\n]+`",
    ),
    "closer": _any(
        r"\bhope (?:this|that|it)(?:['’]s| is)? (?:helps?(?= you|[.!)]|$)|clear|makes)|\blet me know\b|\bfeel free to\b",
        r"\bwould you like (?:me|another|to (?:see|try|know))\b|\bdo you (?:want|need) (?:me|another|any)\b",
        r"\b(?:if you have|any) (?:\w+ )?(?:questions|doubts)(?:,|\?|!| please| feel)|\bhappy to (?:help|explain|provide|"
        r"create)",
        r"\bis there anything else\b|\bany further (?:questions|assistance|help)\b|\bfurther assistance\b",
        r"\b(?:good luck with|keep up the (?:good|great) work|great job|well done|happy (?:learning|solving|"
        r"calculating))\b[!.,]?$",
    ),
    "meta_commentary": _any(
        r"\b(?:this|the) (?:\w+ )?(?:problem|question|exercise) (?:requires|tests|can be (?:solved|broken)|uses|demonstrates|"
        r"teaches|combines|"
        r"is (?:designed|suitable|meant|appropriate|asking)|asks (?:us|you)|wants us)\b",
        r"\b(?:this|the) (?:problem|question|exercise) involves (?:\w+ ){0,2}(?:addition|subtraction|multiplication|division|"
        r"operations?|steps|fractions|percent)",
        r"\bdifficulty(?: level)?\s*:|\bsuitable for \w+[- ]graders?\b|\bgrade[- ]school(?: level)? (?:math|word|problem)|"
        r"\bword problems?\b|\blearning objectives?\b",
        r"^\W{0,3}(?:note|hint|solution|explanation|final answer|answer|verification|check|topic|grade(?: level)?|title|"
        r"skills?|reasoning|approach|"
        r"concepts?|key (?:idea|point)|remember|tip|given|operations?|steps?)s?\s*:",
        r"\b(?:the )?(?:students?|readers?|learners?) (?:should|must|need to|will need to|are expected to) (?:\w+ )?"
        r"(?:calculate|understand|find|apply|use|multiply|add|subtract|divide|reali[sz]e|recogni[sz]e|know)\b",
        r"\(note\b|\b(?:please note|note that (?:this|the) (?:problem|question|answer|solution|above)|keep in mind)\b|"
        r"\ba fun (?:one|problem|question|challenge)\b|\bmulti-?step (?:word |math )?problem\b",
    ),
    "odd_unicode": _any(
        "[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\ufffd\ue000-\uf8ff]",
        "[\u0400-\u04ff\u0600-\u06ff\u2600-\u27bf\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\U0001f000-\U0001faff]",
        r"â€|Ã[©¨¼¶¤±]|Â[ £°½¼]|\\u[0-9a-f]{4}|\\n",
        flags=0,
    ),
}
_MAY_BE_RESIDUE = gate_of(*(pattern.pattern for family, pattern in RESIDUE.items() if family != "odd_unicode"))


def residue(text: str) -> str | None:
    """The first family of RESIDUE with a phrase that stands in the text; else None."""
    if _MAY_BE_RESIDUE.search(lowered(text)):
        return next((family for family, pattern in RESIDUE.items() if pattern.search(text)), None)
    return "odd_unicode" if RESIDUE["odd_unicode"].search(text) else None


# The same for what only steps hold: a solution tells what is so, it does not ask, cheer or speak of itself.
STEP_RESIDUE: dict[str, re.Pattern[str]] = {
    "question_in_a_step": _any(r"\?[ \t]{0,9}$"),
    "exclamation": _any(r"[a-z]!(?:\s|$)"),
    "code_comment": _any(r"(?:^|\s)(?://|/\*|<!--)\s*[a-z]"),
    "aside_in_brackets": _any(r"\((?:this|which) is (?:the )?(?:correct|final|right)"),
    "second_try": _any(r"(?:\.{2,6}|…|[.,;–—-]) ?no, (?=\d|that|it|the|this|we|so)"),
    "speaks_of_the_writer": _any(
        r"\bmy (?:final |own )?(?:result|answer|calculation|solution)\b|\bby the (?:model|assistant|AI)\b",
        r"\b(?:sorry|I meant|I mean|oh no|never mind)\b",
    ),
}
FIRST_PERSON = re.compile(r"\bI\b(?:['’]\w+)? [a-z]")  # in a step, when the problem is not told in the first person
TOLD_IN_FIRST_PERSON = re.compile(r"\b(?:I|me|my|mine|we|our|us|you|your)\b", re.IGNORECASE)

BOILERPLATE = _any(
    r"\bstep[- ]by[- ]step\b",
    r"\b(?:read|re-?read|understand|analy[sz]e|consider|look at|solve|approach|tackle|break down|examine) (?:the|"
    r"this) (?:\w+ )?(?:problem|question)\b",
    r"\b(?:given|provided|above|available|relevant|necessary|known|important) (?:information|data|details|values|facts)\b",
    r"\b(?:and so on|so on and so forth|in a similar (?:way|manner)|the rest (?:follows|is (?:easy|simple|left))|"
    r"repeat (?:this|the) process)\b",
    r"\b(?:this|that|which) (?:is|gives(?: us)?|leads (?:us )?to|will give us|provides) (?:the|our) (?:final |correct |"
    r"desired )?(?:answer|solution|result)\b",
    r"\b(?:in conclusion|to summari[sz]e|in summary|as (?:we|you) can see|it is (?:important|worth) (?:to note|noting|"
    r"to remember))\b",
    r"\b(?:get|find|arrive at|reach|obtain|have|calculate|determine|state|write(?: down)?|present) (?:the|our|your) (?:final |"
    r"correct |desired )?(?:answer|solution)\b",
    r"\bleft (?:as an exercise|to the reader)\b|\b(?:problem|question) (?:is |has been )?(?:now )?(?:solved|answered)\b",
    r"\bthat(?:['’]s| is) (?:it|all)\b|\bnow we (?:know|have) everything\b|\bwe are done\b",
    r"\b(?:perform|do|apply|use) the (?:necessary |required |appropriate |correct |right )?(?:calculations?|operations?|"
    r"computations?|math|formulas?)\b",
    r"\b(?:put|bring) (?:it|everything|all of this) (?:all )?together\b|\bwe (?:simply|just) (?:need|have) to (?:calculate|"
    r"compute|solve)\b",
    r"\bidentify (?:the|all) (?:\w+ )?(?:numbers|information|operations?|values|facts)\b|\b(?:is|"
    r"are) (?:an )?important (?:skills?|steps?)\b",
    r"\b(?:let['’]s|let us|we(?:['’]ll| will| can| should| must)?) (?:use|apply) (?:addition|subtraction|multiplication|"
    r"division|algebra|arithmetic|a formula)\b",
)

# --- what a child should not read ---------------------------------------------------------------------------

_PEOPLE = (
    r"(?:an?|the|\d+|two|three|four|five|some|another) (?:m[ae]n|wom[ae]n|boys?|girls?|kids?|child(?:ren)?|persons?|people|"
    r"strangers?|guards?|police\w*|cops?|clerks?|"
    r"soldiers?|enem(?:y|ies)|neighbou?rs?|teachers?|friends?|robbers?|thie(?:f|ves)|drivers?|workers?|students?|pupils?)"
)
_UNSAFE: dict[str, re.Pattern[str]] = {
    "violence": _words(
        r"murder\w*|kill\w*|stab(?:s|bed|bing)|assault(?:s|ed|ing)?|tortur\w+|terroris\w+|kidnap\w*|hostages?|massacre\w*|"
        r"slaughter\w*",
        r"behead\w*|lynch(?:ed|ing)|hanged|crucif\w+|executioners?|gore|gory|arson\w*|genocide|bloodshed|corpses?|coffins?|"
        r"gunfire|executed|bombings?|wounded|abus(?:es?|ed|ive|ing)",
        r"strangl(?:e[sd]?|ing) (?:him|her|them|a|the)|beats? up|beat(?:en|ing) up|mass shootings?|school shootings?|shootings",
        rf"(?:punch|kick|slap|attack|shoot|stab)(?:s|es|ed|ing)? (?:him|her|them|his \w+|her \w+|people|{_PEOPLE})",
        rf"shot (?:dead|at (?:him|her|them|people)|him|her|them|{_PEOPLE})|hits? (?:him|her|them) (?:with|\d|again|hard|in|on|"
        rf"until|every)|(?:hit|hits|beat|beats|hurt|hurts) {_PEOPLE}",
        r"poison(?:s|ed|ing)|firing squads?|gallows|guillotin\w+|flogg\w+|dismember\w*|decapitat\w*|mutilat\w*|bludgeon\w*|maim(?:s|ed|ing)?|"
        r"disembowel\w*|cannibal\w*|carnage|hijack\w*|carjack\w*|mugged|muggers?|death (?:row|squads?|camps?|penalt(?:y|ies))",
        r"execut(?:es?|ing) (?:\w+ )?(?:prisoners?|rebels?|traitors?|soldiers?|criminals?|people|him|her|them)|public executions?",
        r"(?:beat|beats|beaten|hit|hits|whips?|whipped|thrash(?:es|ed)?) \w+ with (?:an? |his |her |the )?(?:belt|stick|bat|fists?|cane|whip|rod|club)|"
        r"beatings?|(?:hit|hits|hitting|slap|slaps|slapped|punch|punches|punched|kick|kicks|kicked) (?:his|her|their|my) (?:little |older |younger |big |baby )?"
        r"(?:wife|husband|son|daughter|kids?|child|children|brothers?|sisters?|mother|father|mom|dad|girlfriend|boyfriend|classmates?|friends?|dogs?|cats?|horses?)(?! out\b|['’]s )|"
        r"(?:beat|beats|beaten|beating) (?:his|her) (?:wife|husband|son|daughter|kids?|child|children|dogs?|horses?)",
        r"(?:slit|slits|cut|cuts) (?:the |his |her |their )?throats?|bull(?:y|ied|ying)|assassin\w*|hitm[ae]n|"
        r"cuts? off (?:his|her|their|\d+) (?:heads?|arms?|legs?|fingers?|hands?)",
    ),
    "weapons": _words(
        r"shotguns?|handguns?|gunshots?|machine guns?|firearms?|ammo|ammunition|grenades?|land ?mines?|missiles?|explosives?|"
        r"warheads?",
        r"revolvers?|daggers?|bayonets?|bazookas?|ak-?47s?|uzis?|glocks?|brass knuckles|torpedo(?:es)?|tear gas|switchblades?|"
        r"flamethrowers?|artillery|stun guns?|tasers?|pepper spray|pipe bombs?|nuclear (?:bombs?|weapons?|warheads?)|"
        r"machetes?|snipers?|dynamite|molotov\w*|assault rifles?",
    ),
    "drugs": _words(
        r"cocaine|heroin|meth|methamphetamines?|marijuana|cannabis|opioids?|opium|ecstasy pills?|lsd|hashish|crack (?:pipes?|"
        r"cocaine)|ketamine|fentanyl|morphine|oxycontin|xanax|magic mushrooms|stoners?|addicts?",
        r"(?:grams?|ounces?|bags?|kilos?) of (?:crack|pot|weed|hash|dope|speed|meth)|snort(?:s|ed|ing)|inject(?:s|ed|"
        r"ing) (?:himself|herself|heroin)",
        r"thc|mdma|amphetamines?|psychedelic\w*|spliffs?|edibles|(?:drug|cocaine) (?:lords?|cartels?|mules?|busts?|dens?)|huff(?:s|ed|ing) glue|"
        r"diet pills?|sleeping pills|pot brownies?",
        r"vap(?:es?|ed|ing)|e-?cigarettes?|nicotine|hookahs?|steroids|junkies?|bongs?|drug dealers?",
        r"(?:smok\w+|sells?|sold|selling|buys?) (?:weed|crack)|(?:roll|smok)(?:s|ed|ing|es|e)? (?:\w+ )?joints?|get(?:ting|"
        r"s)? high|got high|hung ?over|hangovers?|overdos\w+",
    ),
    "alcohol": _words(
        r"vodkas?|tequilas?|bourbon|champagne|liquors?|liqueurs?|cocktails?|martinis?|(?-i:margaritas?)|mojitos?|booze|tipsy|"
        r"drunken\w*|lagers?",
        r"(?-i:gin)|schnapps|cognac|absinthe|sangria|prosecco|mimosas?|merlot|chardonnay|happy hour|drinking games?|"
        r"taverns?|saloons?|nightclubs?|hard seltzers?|brandy|brandies|daiquiris?|pi[nñ]a coladas?|cabernet|pilsners?|malt liquor|breathaly[sz]ers?|"
        r"hard ciders?|kegs?|beer\w*|moonshine|bartenders?|winer(?:y|ies)|brewer(?:y|ies)|pubs?",
        r"(?:shots?|bottles?|glass(?:es)?|pints?|mugs?|barrels?|six-packs?) of (?:rum|gin|brandy|sake|sherry|port|ale|stout|"
        r"hard cider)",
    ),
    "gambling": _words(
        r"jackpots?|slot machines?|roulette|blackjack|wager(?:s|ed|ing)?|bookies?|bookmakers?|scratch[- ](?:off|card|"
        r"ticket)s?|sports ?book",
        r"odds of \d+ to \d+|keno|parlays?|sports betting|loot boxes|"
        r"(?:the|at|plays?) slots|stakes? (?:money|\$\d+)|racetrack bets?|casino|craps|baccarat|powerball|lotto|gambl\w+|"
        r"betting|(?:puts?|placed|stakes?) \$\d+ on (?:red|black|(?:an?|the|his|her|each) (?:horses?|teams?|boxers?|game))",
    ),
    "sexual": _words(
        r"sex|sexual\w*|sexting|sexist|porn\w*|nudes?|nudity|nudist\w*|strippers?|strip ?clubs?|striptease|condoms?|"
        r"prostitut\w+|erotic\w*",
        r"lap dances?|pole danc\w+|viagra|vibrators?|dildos?|masturbat\w*|incest\w*|pedophil\w*|abortions?|x-rated|adult (?:films?|movies?|videos?|toys?)|"
        r"topless|boobs|penis(?:es)?|vaginas?|genitals?|org(?:y|ies)|threesomes?|kinky|horny|pimps?|escort service|lingerie|"
        r"hookers?|orgasm\w*|fetish\w*|brothels?|rape[sd]?|rapists?|molest\w*|one-night stands?|playboy|(?:make|makes|made|"
        r"making) love|(?:sleeps?|slept) with (?:his|her|\d+) (?:girlfriends?|boyfriends?|women|men)",
    ),
    "self_harm": _words(
        r"suicid\w*|self[- ]harm\w*|anorexi\w+|bulimi\w+|wants? to die|(?:not|n['’]t|no longer) want(?:s|ed)? to live|"
        r"wish(?:es)? (?:he|she|they) (?:was|were) dead",
        r"(?:hang(?:s|ed|ing)?|hung|drown(?:s|ed)?|shoots?|shot|harm(?:s|ed|ing)?|starv(?:es?|ed|ing)|kill(?:s|ed)?|burn(?:s|"
        r"ed)?|cut(?:s|ting)?) "
        r"(?:himself|herself|themselves|myself)",
        r"(?:cut(?:s|ting)?|slit(?:s|ting)?) (?:his|her|their|my) (?:wrists?|arms?|thighs?)|(?:end(?:s|ed|ing)?|tak(?:es?|"
        r"ing)|took) (?:his|her|their) own life|end(?:s|ed|ing)? (?:his|her|their|my) li(?:fe|ves)",
        r"(?:throws?|threw|throwing) up after|purg(?:es|ed|ing) (?:after|his|her)|make[s]? (?:himself|herself) (?:sick|vomit|throw up)|to get skinny|"
        r"skip(?:s|ped|ping) (?:all|every|each) meals?",
    ),
    "hatred": _words(
        r"nazis?|hitler|racis[mt]\w*|slaves?|slavery|fuck\w*|shit\w*|bitch\w*|bastards?|assholes?|crap|crappy|dumb|dumbass|"
        r"morons?",
        r"hate[sd]? (?:jews|muslims|christians|blacks|gays|immigrants|foreigners|asians|arabs|women|girls|boys|men|people)|"
        r"subhuman|faggots?|gooks?",
        r"worthless|imbeciles?|fatso|cripples?|white trash|lard ?ass|(?:those|fat|ugly|stupid) (?:pigs?|losers?|cows?)(?= )|"
        r"nobody likes (?:him|her|them|you|those|that)|nigg\w+|chinks?|spics?|kikes?|wetbacks?",
        r"retard(?:s|ed)?|sluts?|whores?|piss(?:ed)?|scum|ku klux klan",
    ),
    "word": UNSAFE,
}

# The same words where they harm nobody; taken out of a text before it is searched again.
_HARMLESS = _words(
    r"fat(?! (?:boys?|girls?|m[ae]n|wom[ae]n|kids?|lad(?:y|ies)|people|person|kid|slob|"
    r"and ugly)\b)(?<!so fat)(?<!too fat)(?<!is fat)(?<!are fat)(?<!was fat)"
    r"(?<!got fat)(?<!get fat)(?<!you fat)",
    r"(?:rolls?|faces?|sides?|throws?|toss(?:es)?) of (?:the|an?|one|each|this|that) (?:\w+ )?die|worthless (?:coins?|stamps?|stones?|cards?)",
    r"(?:last|first|next|fair|standard|single|number|\w+-sided|second|third|six-sided|red|blue|white|green) die|die (?:(?:is|"
    r"was) rolled|shows?|lands|has)|roll(?:s|ed|ing)? (?:a|the|one|each|his|her) "
    r"(?:\w+ ){0,2}die",
    r"(?:plants?|flowers?|trees?|batter(?:y|ies)|phones?|engine|laptop|tablet|grass|seeds?|seedlings?|bulbs?|crops?|roses|"
    r"tulips|shrubs?|saplings?|"
    r"cactus(?:es)?|ferns?)(?: \w+){0,3} (?:died?|dies|dead|killed)|(?:died?|dies|dying) (?:down|out)",
    r"kill(?:s|ed|ing)?(?: \w+%?){0,4} (?:germs|bacteria|viruses|weeds|mold|time|two birds|seedlings|plants|flowers|"
    r"red flowers)|kill(?:s|ed|ing)? (?:\d+% of )?(?:the )?"
    r"(?:germs|bacteria|time)|(?:germs|bacteria|weeds)(?: \w+){0,4} kill(?:s|ed)?|killer whales?|killifish|killdeer",
    r"dead (?:batter(?:y|ies)|leaves|leaf|trees?|branch(?:es)?|plants?|flowers?|ends?|wood|heat|center|sea|pixels?|bulbs?|"
    r"grass|weeds?)|death (?:valley|by chocolate)",
    r"(?:has|have|had|having) (?:\w+ )?drunk|drunk (?:by|per|each|in|from|at|on|during|yesterday|today|every|\d+|and given)",
    r"(?:cups?|glass(?:es)?|bottles?|liters?|litres?|ounces|water|milk|juice|tea|lemonade|of it|pints?|smoothies?|liquid|"
    r"soda)(?: \w+){0,3} (?:was|were|is|are|be|been|get)"
    r"(?: \w+)? drunk|(?:soda|juice|milk|water|tea|lemonade) drunk",
    r"blood (?:pressure|drives?|bank|donat\w+|oranges?|types?|sugar|tests?|cells?|vessels?|moon)|donat\w+ (?:\w+ ){0,3}blood|"
    r"bloodhounds?",
    r"(?:toy|water|potato|squirt|nerf|glue|spray|staple|nail|bubble|paint|radar|foam|massage) (?:guns?|pistols?|rifles?)|"
    r"bullet (?:trains?|points?|journals?)",
    r"tugs?[- ]of[- ]wars?|star wars|bidding wars?|war (?:museum|memorial)|(?:civil|world) war|snowball wars?",
    r"(?:I|you)(?:['’]ll)? bet(?= (?:you|that|he|she|they|it|we)\b)|poker face",
    r"(?:bath|seed|photo|hot chocolate|cocoa) bombs?|time bombs?(?= game)|ugly (?:duckling|sweaters?|fruits?)",
    r"smoked (?:salmon|turkey|ham|fish|cheese|meat|trout|paprika|sausages?|almonds?|chicken|bacon|brisket|ribs|mackerel)|"
    r"no smoking|smoking hot",
    r"non-?alcoholic(?: \w+)?|alcohol[- ]free(?: \w+)?|(?:rubbing|isopropyl) alcohol|alcohol wipes|(?:root|ginger|"
    r"birch) beers?|wine (?:gums?|vinegar)|naked eye",
    r"hate[sd]? (?!(?:him|her|them|you|me|us|people|girls|boys|women|men|everyone|each other|jews|muslims|christians|blacks|"
    r"gays|immigrants|foreigners|"
    r"asians|arabs)\b)\w+|drug ?stores?",
    r"(?:fruit|shrimp|prawn) cocktails?|rum (?:raisin|cake)s?|cotton gin|(?:champagne|wine|burgundy)[- ](?:colou?red|pink|"
    r"red)|margarita pizzas?|kegs? of (?:root beer|water|cider)",
    r"same sex|hell['’]s kitchen",
    r"(?:an?|the|one|each|this) (?:\w+ )?die(?= (?:is|was|gets?) (?:\w+ )?(?:thrown|rolled|tossed|cast)\b)|"
    r"(?:throw|toss|cast)(?:s|n|ed|ing)? (?:a|the|one|each|his|her) (?:\w+ ){0,2}die(?= |\b)",
    r"wine glass(?:es)?(?: of (?:juice|water|milk|lemonade|punch|soda))?|(?:school|class|classroom|raffle|seat|housing|pumpkin) lotter(?:y|ies)",
    r"(?:frost|frosts|drought|freeze|fung(?:us|i)|blight|cold|heat|snails?|slugs?|spray)(?: \w+){0,2} kill(?:s|ed)?(?: \w+%?){0,3}? "
    r"(?:tulips?|roses?|lilies|daisies|tomato(?:es)?|plants?|flowers?|seedlings?|trees?|bushes|shrubs?|crops?|vines?|germs?|weeds?|bugs?|aphids?|"
    r"red|yellow|orange|purple|white)|"
    r"sprays? (?:kills?|killed) \d+(?=%)|killed by the (?:\d+% )?(?:spray|frost|drought|cold)",
    r"(?:goldfish|fish|ants?|bees?|bugs|insects?|snails?|worms?|tadpoles?|hens?|chickens?|cows?|sheep|lions?)(?: (?:of them|each year|a year|per \w+|every \w+))? dies?(?= (?:at|of old|every|each|per)\b|[.,])|died (?:from|of) old age|"
    r"(?-i:Brandy)(?=['’]s |, [A-Z]| (?:drinks|has|had|is|was|buys|bought|gets|got)\b)",
    r"(?:beats?|beat) (?:the|an?|another|two|three|\d+) (?:other )?(?:teams?|records?|scores?|opponents?|players?|champions?)|"
    r"(?:has|have|needs?|needed|wants?|wanted) to beat(?! (?:up|him|her|them|his|their|my|people|children|kids)\b)(?: the (?:student|player|team|runner)s?)?",
)


def unsafe(text: str) -> str | None:
    """Family and words of the first phrase that does not belong before a child, as "alcohol_beers"; else None."""
    if not _MAY_BE_UNSAFE.search(lowered(text)):
        return None
    text = _HARMLESS.sub(" ", text)
    for family, pattern in _UNSAFE.items():
        if match := pattern.search(text):
            return f"{family}_{re.sub('[^a-z0-9]+', '_', match[0].lower())}"
    return None


_MAY_BE_UNSAFE = gate_of(*(pattern.pattern for pattern in _UNSAFE.values()))

# --- ways to reach somebody ---------------------------------------------------------------------------------

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
PERSONAL: dict[str, re.Pattern[str]] = {
    "email": _any(r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{2,63})+", r"\b[\w.]{2,64} ?(?:\(at\)|\[at\]) ?[\w.-]{2,63}"),
    "url": _any(r"\bh(?:tt|xx)ps?://|\bwww\.\w", r"\b[\w-]{2,63}\.(?:com|org|net|edu|gov|io|info|co\.uk|de|fr|app|ly|me|tv)\b"),
    "phone_number": _any(
        r"(?<![\d.,/*+-])(?<![-+*/=] )(?:\+?\d{1,3}[ .-]?)?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[.-]\d{4}(?![\d-])|"
        r"(?<![\w+])\+\d{1,3}[ -]\(?\d[\d ()-]{6,14}\d",
        r"(?<![\d.,$])0\d{3,4} \d{6}(?!\d)",
        r"\b(?:phone|ring|call(?:s|ed|ing)?|tel|telephone|cell|mobile|fax|text(?:s|ed)?|dial(?:s|ed)?|contact|whatsapp|"
        r"number is|hotline|reach (?:him|her|me|us|them))\b"
        r"[^?!\n]{0,40}?(?<![\d$])(?:\d{3}[ .-]\d{4}|\d{9,12}|0\d{2,4}[ -]\d{3,4}(?:[ -]?\d{3,4})?|"
        r"\d{3} \d{3} \d{3,4})(?![\d,])",
    ),
    "street_address": _any(
        r"(?<![\d.,$])\b\d{1,5}[A-Z]? (?:[NSEW]\.? |North |South |East |West )?(?:[A-Z][a-z'’]+ |\d{1,3}(?:st|nd|rd|th) ){1,3}"
        r"(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Way|Place|Pl|Terrace|Crescent|Close|Square|"
        r"Highway|Hwy|Parkway|Alley|Apartments)\b"
        r"\.?(?! (?:blocks?|houses|residents|shops|students|tickets|cards|pupils|children|players|fans|families))",
        r"\b\d{1,4},? (?:[Rr]ue|[Vv]ia|[Cc]alle|[Aa]venida|[Pp]iazza|[Pp]laza) (?:d[aeiu]l?s? )?(?:la |los )?[A-Z]|"
        r"\b[A-Z][a-zäöüß]+(?:stra(?:ß|ss)e|str\.|weg|gasse|platz) \d",
        r"\b[A-Z][a-z]+,? [A-Z]{2},? \d{5}(?:-\d{4})?\b|\bP\.? ?O\.? Box \d|\b[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}\b",
        flags=0,
    ),
    "account_number": _any(
        r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,4})?\b",
        r"(?<![\d.])(?:\d{4}[ -]){3}\d{3,4}(?!\d)|(?<!\d)(?<!\d[.,])\d{15,16}(?!\d|[.,]\d)|(?<!\d)3[47]\d{2}[ -]\d{6}[ -]\d{5}(?!\d)",
        r"\b(?:account|routing|card) (?:number|no\.?) (?:is )?\d{6,}",
        flags=0,
    ),
    "network_address": _any(r"(?<![\d.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\d.]*\d)"),
    "birth_date": _any(
        rf"\b(?:born|birth ?date|date of birth|DOB)\b[^.?!\n]{{0,20}}\b(?:\d{{1,2}}(?:st|nd|rd|th)? (?:of )?{_MONTH}|{_MONTH} \d{{1,2}}"
        r"(?:st|nd|rd|th)?),? (?:of )?(?:19|20)\d\d\b|\b(?:DOB|date of birth|birth ?date)\b[^.?!\n]{0,5} \d{1,4}[/.-]\d{1,2}[/.-]\d{1,4}"
    ),
    "password": _any(
        r"\b(?:password|passcode|passphrase|login|user ?name)(?: is| was|:) (?=\S*[a-z])(?=\S*[\d_@#!$])\S{4,}",
        r"\bPIN(?: code| number)?(?: is| was|:) \d{4,8}\b",
    ),
    "identity_number": _any(
        r"(?<![\d-])(?<![-+*/=] )\d{3}-\d{2}-\d{4}(?![\d-])",
        r"\bSSN\b|\bsocial security (?:number|no\b)|\bpassport (?:number|no\b)|\bdriver['’]?s licen[cs]e (?:number|no\b)",
    ),
    "handle": _any(r"(?<![\w.@])@[a-z_]\w{2,30}"),
}

# A part of whatever one of them finds, in small letters; most rows have none of it.
_MAY_BE_PERSONAL = gate_of(
    r"@|[(\[]at[)\]]",
    r"://|\bwww\.|\.(?:com|org|net|edu|gov|io|info|co|de|fr|app|ly|me|tv)\b",
    r"\d{3}[ .-]\d{3}|\d{6}|\+\d",
    r"\d[a-z]? (?:[a-z\d.'’]+ ){1,4}(?:street|st|avenue|ave|road|rd|lane|ln|drive|dr|boulevard|blvd|court|ct|way|place|pl|"
    r"terrace|crescent|close|square|highway|hwy|parkway|alley|apartments)\b",
    r"\d,? (?:rue|via|calle|avenida|piazza|plaza) |(?:stra(?:ß|ss)e|str\.|weg|gasse|platz) \d|[a-z],? \d{5}|\bp\.? ?o\.? box",
    r"\b[a-z]{1,2}\d",
    r"\d\.\d{1,3}\.\d|\d-\d\d-\d",
    r"\b(?:born|birth|date of birth|dob)",
    r"\b(?:password|passcode|passphrase|login|user ?name|pin)\b",
    r"\b(?:ssn|social security|passport n|driver['’]?s licen[cs]e)",
)


def reaches(text: str) -> str | None:
    """The first of PERSONAL that stands in the text; else None."""
    if not _MAY_BE_PERSONAL.search(lowered(text)):
        return None
    return next((name for name, pattern in PERSONAL.items() if pattern.search(text)), None)
