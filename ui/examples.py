"""Problems to begin with, by the name that the catalogue calls them by: Pocket's five tries agree on the right
answer of all six as they stand; with other words or numbers it often fails. Their text is English in every language, as the tutor's problems are."""

EXAMPLES = {
    "Toy cars": "Omar has 18 toy cars. Lena has twice as many toy cars as Omar. "
    "How many toy cars do they have altogether?",
    "Bus": "A bus has 45 people on it. At the first stop 18 people get off and 7 get on. How many people are on the bus now?",
    "Pencils": "Priya has 3 boxes with 12 pencils in each box and 7 loose pencils. How many pencils does she have in all?",
    "Cookies": "Lisa bakes 36 cookies. She keeps 6 and shares the rest equally among 5 friends. "
    "How many cookies does each friend get?",
    "Sale": "A shirt costs $40. It is on sale for 25% off. What is the sale price?",
    "Secret number": "I think of a number, multiply it by 4 and add 9. I get 41. What is my number?",
}
