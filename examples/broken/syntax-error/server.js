const answer = {;
