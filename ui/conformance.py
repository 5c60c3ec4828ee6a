"""What is known of the page by each criterion of WCAG 2.2, levels A and AA, and by which test; shown in For grown-ups.

A standing says no more than was looked at: TESTED by a test that is named, PARTLY where the test covers a part of the
criterion, DESIGNED where the page was built for it and no test holds it, NONE where the page has nothing that it speaks of.
`tests/test_about.py` holds the list to the 55 criteria and to tests that are there.
"""

from __future__ import annotations

from dataclasses import dataclass

TESTED, PARTLY, DESIGNED, NONE, OPEN = "tested", "partly tested", "built for it, not tested", "does not apply", "open"

AXE = "test_access.py: test_axe_finds_nothing"
AXE_PRACTICE = "test_check_browser.py: test_axe_finds_nothing"
LADDER_KEYS = "test_browser.py: test_the_ladder_is_climbed_with_the_keyboard_alone"
PRACTICE_KEYS = "test_check_browser.py: test_practice_can_be_done_with_the_keyboard_alone"
PHONE = "test_browser.py: test_a_phone_needs_no_sideways_scroll_and_no_fine_finger"
PHONE_PRACTICE = "test_check_browser.py: test_a_phone_needs_no_sideways_scroll_and_no_fine_finger"
ANNOUNCED = "test_browser.py: test_only_whole_steps_are_announced"
REFUSES = "test_browser.py: test_refuses_kindly_and_is_ready_again"
SAID = "test_render.py: test_a_check_is_said_in_words_and_an_icon"
STOPS = "test_browser.py: test_stop_ends_the_compute_and_keeps_the_working"
LOSSES = "test_evidence.py: test_the_picture_of_the_losses_says_its_figures_in_words"
SERVED = "test_strings.py: test_the_served_page_says_its_language"
CHOSEN = "test_language_browser.py: test_the_address_decides_and_keeps_what_else_stands_in_it"
MARKED_LEARN = "test_language_browser.py: test_learn_gives_hints_and_looks_at_an_answer"
MARKED_PRACTICE = "test_language_browser.py: test_practice_hints_answers_and_makes_a_worksheet"
AXE_SPANISH = "test_language_browser.py: test_axe_finds_nothing"
CARRIES = "test_browser.py: test_an_empty_compare_box_takes_the_problem_over_and_a_filled_one_keeps_its_own"


@dataclass(frozen=True)
class Criterion:
    """`tests` are "file: function"; `note` says what is not covered, or why the criterion does not apply."""

    number: str
    name: str
    level: str
    standing: str
    note: str = ""
    tests: tuple[str, ...] = ()


MEDIA = "no sound and no video"
CRITERIA = (
    Criterion("1.1.1", "Non-text Content", "A", PARTLY, "icons are hidden from screen readers, the one picture has words", (AXE, LOSSES)),
    Criterion("1.2.1", "Audio-only and Video-only", "A", NONE, MEDIA),
    Criterion("1.2.2", "Captions (Prerecorded)", "A", NONE, MEDIA),
    Criterion("1.2.3", "Audio Description or Media Alternative", "A", NONE, MEDIA),
    Criterion("1.2.4", "Captions (Live)", "AA", NONE, MEDIA),
    Criterion("1.2.5", "Audio Description (Prerecorded)", "AA", NONE, MEDIA),
    Criterion("1.3.1", "Info and Relationships", "A", PARTLY, "the rules of axe", (AXE, AXE_PRACTICE)),
    Criterion("1.3.2", "Meaningful Sequence", "A", DESIGNED, "the order in the page is the order of reading"),
    Criterion("1.3.3", "Sensory Characteristics", "A", DESIGNED, "Left and Right of Compare are names as well as places"),
    Criterion("1.3.4", "Orientation", "AA", DESIGNED, "nothing asks for an orientation"),
    Criterion("1.3.5", "Identify Input Purpose", "AA", NONE, "nothing is asked about the person"),
    Criterion("1.4.1", "Use of Color", "A", TESTED, "every mark is a word and an icon too", (SAID,)),
    Criterion("1.4.2", "Audio Control", "A", NONE, MEDIA),
    Criterion("1.4.3", "Contrast (Minimum)", "AA", TESTED, "every tab, light and dark", (AXE, AXE_PRACTICE)),
    Criterion("1.4.4", "Resize Text", "AA", DESIGNED, "sizes are relative; not looked at with 200% in every tab"),
    Criterion("1.4.5", "Images of Text", "AA", NONE, "there are none"),
    Criterion("1.4.10", "Reflow", "AA", PARTLY, "at phone width; wide tables scroll by themselves", (PHONE, PHONE_PRACTICE)),
    Criterion("1.4.11", "Non-text Contrast", "AA", DESIGNED, "borders and icons were not measured"),
    Criterion("1.4.12", "Text Spacing", "AA", OPEN, "nobody has tried it"),
    Criterion("1.4.13", "Content on Hover or Focus", "AA", NONE, "nothing appears by hovering or focus alone"),
    Criterion("2.1.1", "Keyboard", "A", PARTLY, "Learn and Practice from end to end, the other tabs not", (LADDER_KEYS, PRACTICE_KEYS)),
    Criterion("2.1.2", "No Keyboard Trap", "A", PARTLY, "as 2.1.1", (LADDER_KEYS, PRACTICE_KEYS)),
    Criterion("2.1.4", "Character Key Shortcuts", "A", NONE, "there are no shortcuts of one key"),
    Criterion("2.2.1", "Timing Adjustable", "A", OPEN, "a problem is forgotten after 30 minutes without a word; solving it again is one press"),
    Criterion("2.2.2", "Pause, Stop, Hide", "A", TESTED, "Stop ends what moves", (STOPS,)),
    Criterion("2.3.1", "Three Flashes or Below Threshold", "A", DESIGNED, "nothing flashes"),
    Criterion("2.4.1", "Bypass Blocks", "A", PARTLY, "headings, landmarks and tabs", (AXE,)),
    Criterion("2.4.2", "Page Titled", "A", TESTED, "", (AXE,)),
    Criterion("2.4.3", "Focus Order", "A", PARTLY, "as 2.1.1", (LADDER_KEYS, PRACTICE_KEYS)),
    Criterion("2.4.4", "Link Purpose (In Context)", "A", PARTLY, "two links, each the name of a language; axe's rules on them", (AXE, CHOSEN)),
    Criterion("2.4.5", "Multiple Ways", "AA", NONE, "one page"),
    Criterion("2.4.6", "Headings and Labels", "AA", PARTLY, "that there are any, not how good they are", (AXE, AXE_PRACTICE)),
    Criterion("2.4.7", "Focus Visible", "AA", DESIGNED, "an outline on everything that can be focused"),
    Criterion("2.4.11", "Focus Not Obscured (Minimum)", "AA", DESIGNED, "nothing lies over the page"),
    Criterion("2.5.1", "Pointer Gestures", "A", NONE, "a click is all it takes"),
    Criterion("2.5.2", "Pointer Cancellation", "A", DESIGNED, "buttons act when they are let go"),
    Criterion("2.5.3", "Label in Name", "A", PARTLY, "the rules of axe", (AXE, AXE_PRACTICE)),
    Criterion("2.5.4", "Motion Actuation", "A", NONE, "nothing listens to motion"),
    Criterion("2.5.7", "Dragging Movements", "AA", NONE, "nothing is dragged"),
    Criterion("2.5.8", "Target Size (Minimum)", "AA", TESTED, "on a phone", (PHONE, PHONE_PRACTICE)),
    Criterion("3.1.1", "Language of Page", "A", TESTED, "English and Spanish", (AXE, SERVED, CHOSEN)),
    Criterion("3.1.2", "Language of Parts", "AA", PARTLY, "in Spanish, problems, hints, steps and these notes say that they are English; "
              "what stands in a box to type in does not, nor names in lists, nor Gradio's own “More tabs” on a narrow page", (MARKED_LEARN, MARKED_PRACTICE, AXE_SPANISH)),
    Criterion("3.2.1", "On Focus", "A", DESIGNED, "focus changes nothing"),
    Criterion("3.2.2", "On Input", "A", DESIGNED, "only the choice of a set in Evidence shows another failure at once"),
    Criterion("3.2.3", "Consistent Navigation", "AA", NONE, "one page"),
    Criterion("3.2.4", "Consistent Identification", "AA", DESIGNED, "the same words for the same button in every tab"),
    Criterion("3.2.6", "Consistent Help", "A", NONE, "there is nobody to write to; this tab is the only help"),
    Criterion("3.3.1", "Error Identification", "A", PARTLY, "in the status line, not tied to the box", (REFUSES,)),
    Criterion("3.3.2", "Labels or Instructions", "A", PARTLY, "the rules of axe", (AXE, AXE_PRACTICE)),
    Criterion("3.3.3", "Error Suggestion", "AA", TESTED, "each refusal says what to do", (REFUSES,)),
    Criterion("3.3.4", "Error Prevention (Legal, Financial, Data)", "AA", NONE, "nothing is bought, signed or stored"),
    Criterion("3.3.7", "Redundant Entry", "A", TESTED, "the problem is carried from tab to tab", (CARRIES,)),
    Criterion("3.3.8", "Accessible Authentication (Minimum)", "AA", NONE, "there are no accounts"),
    Criterion("4.1.2", "Name, Role, Value", "A", PARTLY, "the rules of axe", (AXE, AXE_PRACTICE)),
    Criterion("4.1.3", "Status Messages", "AA", TESTED, "once a step, never a word at a time", (ANNOUNCED,)),
)  # fmt: skip
