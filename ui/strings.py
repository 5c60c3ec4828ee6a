"""Every sentence of the page, for readers of about nine. Numbers are filled in with `format`."""

from __future__ import annotations

from mathtutor.tutoring.diagnosis import Verdict
from mathtutor.tutoring.hints import Rung
from mathtutor.tutoring.lesson import Phase
from mathtutor.tutoring.screen import MAX_CHARS, Finding

TITLE = "Show Your Work"
TAGLINE = (
    "A word problem goes in. The working comes out, step by step. "
    "This small tutor is often wrong, above all about long stories and new kinds of problems."
)

# label on the button -> problem. Pocket solves all six as they stand; with other words or numbers it often fails.
EXAMPLES = {
    "Toy cars": "Omar has 18 toy cars. Lena has twice as many toy cars as Omar. Noah has 7 fewer toy cars than Lena. "
    "How many toy cars do they have altogether?",
    "Bus": "A bus has 45 people on it. At the first stop 18 people get off and 7 get on. How many people are on the bus now?",
    "Pencils": "Priya has 3 boxes with 12 pencils in each box and 7 loose pencils. How many pencils does she have in all?",
    "Cookies": "Lisa bakes 36 cookies. She eats 4 and shares the rest equally among 8 friends. "
    "How many cookies does each friend get?",
    "Sale": "A shirt costs $40. It is on sale for 25% off. What is the sale price?",
    "Secret number": "I think of a number, multiply it by 4 and add 9. I get 41. What is my number?",
}

PROBLEM_LABEL = "Your word problem"
PROBLEM_HINT = "Type it here, with all its numbers. Shift+Enter sends it."
SOLVE, STOP, AGAIN = "Solve", "Stop", "Try again"
COMPARE = "Solve with both"
CALCULATOR = "Work sums out with a calculator"
CALCULATOR_INFO = "When the tutor writes a sum and “=”, a calculator fills in the result, unless its decimals never end."
EXAMPLES_LABEL = "Or try one of these"
WORKING = "The working"
STEPS_LABEL = "Solution steps"
ANSWER_LABEL = "Answer"
RAW = "Everything the tutor wrote"
RAW_FIRST = "My first try"
NOT_PROOF = "Checked sums can still answer the wrong question. Does it fit the story?"
COMPUTED_KEY = "Numbers with a dotted line were worked out by the calculator."
NO_CALCULATOR = "This tutor works without the calculator."
OTHER_THAN_LAST_STEP = "Look again: my answer is not the number of my last step."
TWO_TRIES = "In my first try a sum did not add up, so I tried once more."
WRONG_TO_ME_TOO = "Step {step} looks wrong to me too."

START = "Type a word problem, or pick one below."
ASKED = "Reading your problem…"
AHEAD_ONE = "1 person is ahead of you, about {seconds} seconds."
AHEAD_MANY = "{ahead} people are ahead of you, about {seconds} seconds."
WAKING = "The tutor is waking up… {seconds} s"
ASLEEP = "The tutor could not wake up. Please tell a grown-up."
THINKING = "Working it out…"
THINKING_FOR = "Working it out… {seconds} s"
STEP_READY = "Step {step} is ready."
SECOND_TRY = "A sum does not add up. I am trying once more… {seconds} s"
FULL = "Lots of people are here. Try again in a minute."
SORRY = "Something went wrong on my side. Your problem is still here. Please try again."

FINDINGS = {
    Finding.EMPTY: START,
    Finding.TOO_LONG: f"That is very long. Please use at most {MAX_CHARS:,} letters.",
    Finding.TOO_SHORT: "I need the whole problem, with its numbers.",
    Finding.PICTURE: "I cannot see pictures. Please type the numbers from it.",
    Finding.NOT_A_PROBLEM: "I only know school math word problems. Try one of these.",
    Finding.LANGUAGE: "I only understand English so far. Please type the problem in English.",
    Finding.NO_VALUE: "Nobody can divide by zero: no number would be right.",
    Finding.PERSONAL: "Leave out names and numbers that are about you.",
}

PHASES = {
    Phase.ANSWERED: "Done. This is my working.",
    Phase.STOPPED: "Stopped. What you have so far stays here.",
    Phase.CUT_OFF: "My working got too long, so I stopped. Try splitting the problem.",
    Phase.REPEATING: "I went round in circles, so I stopped. This one is too hard for me.",
    Phase.NO_ANSWER: "I couldn't finish this one. Press “Try again”.",
    Phase.FAILED: SORRY,
}

# Written by people, shown without asking any model; nothing of what was typed is kept.
WORRY_TITLE = "You matter more than any math problem."
WORRY = (
    "It sounds like something hard is going on. Please tell an adult you trust: a parent, a teacher, a school nurse.",
    "If you are in danger right now, call your emergency number (112 in Europe, 911 in the US and Canada, 999 in the UK).",
    "You can also talk to someone for free, day or night. US and Canada: call or text 988. UK: Childline, 0800 1111. "
    "Australia: Kids Helpline, 1800 55 1800. Anywhere else: an adult can look at findahelpline.com with you.",
)

# --- Learn: hints before answers ----------------------------------------------------------------------------

START_LEARN = "Type a word problem, or pick one. I give hints first, the answer last."
HELP_ME, NEXT_HINT, CHECK, WHOLE = "Help me start", "Next hint", "Check", "Show the whole solution"
ANOTHER_WAY, TWIN = "Check it another way", "Give me a twin"
WATCH = "Watch it think"
WATCH_INFO = "Shows the whole working live, answer included, instead of hints."
YOUR_ANSWER = "Your answer"
ONE_WAY_GIVES = "One of my ways gives"
YOUR_ANSWER_HINT = "a number, for the whole problem or for the blank ▢"
LADDER_LABEL = "Hints"
TRYING = "I am working it out for myself first… {seconds} s"
TRYING_SPOKEN = "I am working it out for myself first."
HINT_READY = "Hint: {rung}."
NO_MORE_HINTS = "That was the last hint."
RUNG_WORDS = {
    Rung.UNDERSTAND: "Say in your own words what is asked. These numbers stand in the story; not all have to matter.",
    Rung.PLAN: "What could come first, and what after that?",
    Rung.SET_UP: "Which number belongs in the blank? Type it below.",
    Rung.WORKED: "",
}
RUNG_WORDS_READY = RUNG_WORDS | {Rung.UNDERSTAND: ""}

AGREE = "{votes} of my {tries} tries arrive at the same answer, and its sums check."
AGREE_NO_PROOF = "Tries that agree can all be wrong. Does it fit the story?"
COMPUTED_ANSWER = "This answer is worked out from the numbers of the story, not guessed."
DISAGREE = "My tries disagree, so I am not sure. Take these hints as guesses, and let’s check together."
SUMS_FAIL = "I found a way, but its sums do not bear the answer out. Take these hints as guesses."
DISAGREE_WITH = "My tries gave {answers}. Let’s check together: which one fits the story?"
NO_WAY = "I could not solve this one, so I have no more hints. A stronger model may."
STRONGER = "A grown-up can choose a stronger model: see “For grown-ups”."
READY_SURE = "I have a way. Try it yourself first; a hint is one click away."
READY_DOUBTFUL = "I have a way, but I doubt it."
WHOLE_SHOWN = "This is my whole way."
WHOLE_DOUBTFUL = "This is one of my ways. It may well be wrong."

SAID_NOTHING = "Type your answer first. A guess is fine."
SAID_UNREADABLE = "I need one number there, such as 12 or 3 1/2."
SAID_SAME_COMPUTED = "Yes, {value} is right."
SAID_SAME = "{value}: that is what I get too."
SAID_SAME_DOUBTFUL = "{value} is what one of my ways gives too. I am not sure of it; does it fit the story?"
SAID_BLANK = "Yes, {value} fills the blank of step {step}."
SAID_PARTWAY = "{value} is what I find in step {step}. There is more to do."
SAID_OTHER = "I get another number than {value}. Look at the story again, or take the next hint."
SAID_OTHER_DOUBTFUL = "I get other numbers than {value}, but I am not sure of mine."
SAID_NO_WAY = "I could not solve this one, so I cannot check {value}."

CHECKED = "I looked at your number."
FIRST_TRY = "Try it once, or take the hints up to a worked step. Then I show all of it."
ANOTHER_LABEL = "Another way"
ANOTHER_TITLE = "Checked another way"
ANOTHER_SAME = "This try arrives at {answer} as well."
ANOTHER_OTHER = "This try arrives at {answer}, the first way at {first}. One of them is wrong. Which one fits the story?"
ANOTHER_NONE = "This try did not come to an answer."
ANOTHER_DONE = "Checked another way."
TWIN_READY = "Here is a twin: the same kind of problem with other numbers. Try it."
NO_TWIN = "I am not sure enough of my way to build a twin on it."
NO_TWIN_HERE = "I cannot change the numbers of this story and be sure that it still works."
OTHER_PROBLEM = "The problem above is not the one I worked on. Press “Help me start” first."
EMPTY_DESK = "Type a word problem and press “Help me start”."

LEARN_TAB, COMPARE_TAB, ABOUT_TAB = "Learn", "Compare", "For grown-ups"

BASE_NAME, TUNED_NAME = "Base model", "Tuned model"
COMPARE_INTRO = "The same problem and the same limits for two models: the base, and the one tuned from it to show its work."
COMPARE_BUSY = "Both are working… {seconds} s"
COMPARE_DONE = "Both are done."
FINISHED = "finished."
COMPARE_PHASES = {
    Phase.STOPPED: "Stopped.",
    Phase.CUT_OFF: "Its working got too long.",
    Phase.REPEATING: "It went round in circles and was stopped.",
    Phase.NO_ANSWER: "It ended without an answer.",
    Phase.FAILED: "Something went wrong here.",
}
SAME_ANSWER = "Both answer {answer}."
OTHER_ANSWERS = "Base model: {base}. Tuned model: {tuned}."
NO_ANSWER_SHORT = "no answer"
SAME_STEPS = "Their steps arrive at the same numbers."
FIRST_DIFFERENCE = "They first differ at step {step}."
FIRST_DIFFERENCES = "They first differ at step {base} of the base model and step {tuned} of the tuned one."
MORE_STEPS = "The {longer} model goes on after the other has ended, at step {step}."
DIFFERS = "differs"

ABOUT = """
<section class="mt-about" aria-label="About">
<h2>What this is</h2>
<p>Show Your Work is a small open language model that solves grade-school word problems and shows every step.
It was trained on problems made for this purpose and on the training part of GSM8K, a public collection of
word problems (MIT licence). The model, its training, its tests and all its other data are in one open repository.</p>
<p>Answering now: <strong>{tuned}</strong>. Compared with: <strong>{base}</strong>.</p>
<h2>What “sums check” means</h2>
<p>Each sum in a step is worked out again with exact arithmetic. <strong>✓ sums check</strong> means that it adds up,
<strong>✗ does not add up</strong> that it does not, and <strong>– nothing to check</strong> that there was no sum to
read. It does not mean that the answer is right: a solution can add up perfectly and answer another question. In studies of
wrong solutions, only a few have a slip in arithmetic.</p>
<h2>Privacy</h2>
<p>There are no accounts and no cookies of ours. Problems are sent to the computer that runs this page, answered
from memory, and not written to disk, logged, or used for training. Nothing is loaded from other sites. Your browser
keeps no history of what was typed. E-mail addresses and phone numbers are taken out before sending.</p>
<h2>Limits</h2>
<ul>
<li>It makes mistakes, more of them with long problems, several questions at once, or words it has not met.</li>
<li>English only. No pictures, no graphs, no geometry proofs.</li>
<li>A problem may have {max_chars} characters; an answer may have {max_tokens} tokens and take {max_seconds} seconds.</li>
<li>Hints come first and the whole solution last. Hints are cut from the tutor’s own solution: where that is wrong, they
are too. It solves each problem {tries} times and says when these tries disagree.</li>
</ul>
<h2>A stronger model</h2>
<p>The model that comes with this page is small enough for any computer, and often wrong. Whoever runs the page can choose
another one when starting it, for example <code>MATHTUTOR_ENGINE=hf:Qwen/Qwen3-0.6B</code>, or a server of their own:
<code>MATHTUTOR_ENGINE=openai:http://127.0.0.1:8000/v1#my-model</code>.</p>
<h2>If a child writes about harm</h2>
<p>Some phrases about self-harm or abuse are met with a fixed text that names helplines and a trusted adult. The model
is not asked, nothing is stored, and nobody is told. It is a signpost, not supervision.</p>
</section>
"""

# --- Check my work --------------------------------------------------------------------------------------------

CHECK_TAB = "Check my work"
CHECK_INTRO = "Your problem and your own steps go in. I look for the first line that needs another look, and ask about it."
CHECK_WORK_LABEL = "My steps, one on each line"
CHECK_WORK_HINT = "12 - 5 = 7 pens are left\n7 + 9 = 16 pens"
CHECK_BUTTON = "Check my steps"
CHECK_RESULT = "Your lines"
CHECK_LINES_LABEL = "Your steps, checked"
CHECK_START = "Type the problem, and one step on each line."
CHECK_NO_LINES = "Write one step on each line, with its numbers. Then I can look."
CHECK_SOLVING = "Working it out myself first… {seconds} s"
CHECK_DOUBT = "Have another look at line {line}."
CHECK_VERDICTS = {
    Verdict.RIGHT: "All your lines fit together. Well worked!",
    Verdict.RIGHT_SO_FAR: "Every line fits so far.",
    Verdict.SUMS_CHECK: "Your sums add up. I can't say more about this one.",
    Verdict.NOTHING: CHECK_NO_LINES,
}
CHECK_RIGHT_NOTE = "Nothing to mend. Could you explain to somebody why each step was needed?"
CHECK_RIGHT_OWN = "My own working comes to the same answer. Could you explain to somebody why each step was needed?"
CHECK_GO_ON = "Does your last line answer the question? If not, what would you do next?"
CHECK_UNSURE = "I could not solve this problem well enough to check your way. I only looked whether each sum adds up."
CHECK_OWN = "I laid your lines beside my own working. Mine can be wrong too: trust the story more than me."

# --- Practice -------------------------------------------------------------------------------------------------

PRACTICE_TAB = "Practice"
PRACTICE_INTRO = "Problems made for practice, with hints. Every answer was worked out by exact arithmetic, not by the language model."
PRACTICE_TOPIC, PRACTICE_GRADE = "Topic", "Grade"
ANY_TOPIC, ANY_GRADE, GRADE = "All topics", "Any grade", "Grade {grade}"
PRACTICE_PROBLEM = "Practice problem"
PRACTICE_ABOUT = "{topic} · grade {grade}"
PRACTICE_NO_PROBLEM = "Your problem will stand here."
PRACTICE_NONE = "There is no problem of that topic in that grade. Choose another grade or topic."
PRACTICE_ANSWER = "My answer"
PRACTICE_NEW, PRACTICE_CHECK, PRACTICE_HINT = "New problem", "Check", "Hint"
PRACTICE_START = "Choose a topic, or press “New problem”."
PRACTICE_CHOOSING = "Looking for a problem…"
PRACTICE_READY = "Here is a problem about {topic}."
PRACTICE_NO_NUMBER = "Type one number as your answer, such as 12 or 3 1/2."
PRACTICE_RIGHT = "Yes, {answer} {unit}. That is right!"
PRACTICE_NOT_YET = "Not quite yet."
PRACTICE_WRONG = "Not quite yet. Read what is asked once more, or take a hint."
PRACTICE_HINTS = ("Understand", "Plan", "Set up")
PRACTICE_STEP = "Worked step {step}"
PRACTICE_HINT_READY = "Hint: {title}"
PRACTICE_HINTS_LABEL = "Hints"
PRACTICE_KNOWN = "What I know"
PRACTICE_NONE_KNOWN = "Your topics will stand here after your first answer."
# (from which chance on, words); the last one has no bound
PRACTICE_LEVELS = ((0.95, "got it"), (0.75, "nearly there"), (0.4, "getting there"), (0.0, "just starting"))
PRACTICE_REMEMBER = "Remember this on this device"
PRACTICE_REMEMBER_INFO = "Four numbers for each topic stay in this browser, nothing else. Leave it off on a shared computer."
PRACTICE_FORGET = "Forget me"
PRACTICE_FORGOTTEN = "Forgotten. Nothing is kept."
SHEET = "Worksheet"
SHEET_INFO = "Twins of your problem: the same story with other numbers. Without a problem: a mix of your topic and grade."
SHEET_COUNT = "How many problems"
SHEET_MAKE, SHEET_PRINT, SHEET_SAVE = "Make a worksheet", "Print it", "Save as Markdown"
SHEET_TITLE = "Word problems: {topic}"
SHEET_MIXED = "a mix"
SHEET_NAME = "Name: ____________________    Date: ____________"
SHEET_ANSWER = "Answer: ____________________"
SHEET_KEY = "Answer key"
SHEET_READY = "A worksheet of {count} problems stands below, its answer key after it."
