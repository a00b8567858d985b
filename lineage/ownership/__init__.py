"""Who answers for what, and the gates that ask: claims, precedence, rules, decisions."""
