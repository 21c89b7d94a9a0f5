// Declarations of the functions defined in pair_sums.hpp; documented in
// ../functions/pair_sums.stan.
real edge_sum(matrix z, array[] int sender, array[] int receiver, vector weight,
              real softening, int form);
real kernel_sum(matrix z, vector log_a, vector log_b, int logarithm, int shared,
                int halves, real softening, int form);
real charged_edge_sum(matrix z,
                      vector log_a,
                      vector log_b,
                      array[] int sender,
                      array[] int receiver,
                      vector back,
                      vector weight,
                      vector log_charge,
                      vector back_log_charge,
                      int term,
                      real softening,
                      int form);
matrix precondition(matrix factor, matrix x);
